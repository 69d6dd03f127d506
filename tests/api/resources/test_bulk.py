"""Writes in bulk: chunks in order, and what is done is known whatever the answer was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import (
    Credentials,
    EmnifyAuthenticationError,
    EmnifyClient,
    EmnifyConnectionError,
    EmnifyPartialError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
    EmnifyValidationError,
    Limits,
)
from airflow_provider_emnify.api.resources.bulk import send_in_chunks, split
from airflow_provider_emnify.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = 1_000_001  # the id of the sandbox's first endpoint
FIRST_SIM = 2_000_001  # the id of its first SIM, which is free
PROFILES: dict[str, Any] = {"service_profile_id": 1, "tariff_profile_id": 1}
MULTI = "/api/v2/endpoint/multi"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(endpoints=20, limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[EmnifyClient]:
    credentials = Credentials(application_token=sandbox.application_token)
    limits = Limits("memory", limits=())
    with EmnifyClient(
        credentials, base_url=sandbox.url, limits=limits, max_retries=1, sleep=lambda _: None
    ) as client:
        yield client


def test_5000_endpoints_are_three_calls_in_order(client: EmnifyClient, sandbox: Sandbox) -> None:
    created = client.endpoints.create_many([{"name": f"n{number}"} for number in range(5000)], **PROFILES)
    assert [row["name"] for row in created] == [f"n{number}" for number in range(5000)]
    calls = [entry.body["endpoints"] for entry in sandbox.log if entry.template == MULTI]
    assert [len(call) for call in calls] == [2000, 2000, 1000]
    assert [row["name"] for call in calls for row in call] == [f"n{number}" for number in range(5000)]

    ids = [row["id"] for row in created]
    assert client.endpoints.update_many([{"id": id, "tags": "new"} for id in ids]) == ids
    assert client.endpoints.delete_many(ids) == ids
    assert sandbox.counts[f"PATCH {MULTI}"] == sandbox.counts[f"DELETE {MULTI}"] == 3


@pytest.mark.parametrize("many", ["create_many", "update_many", "delete_many"])
def test_nothing_to_do_is_no_request(client: EmnifyClient, sandbox: Sandbox, many: str) -> None:
    arguments = PROFILES if many == "create_many" else {}
    assert getattr(client.endpoints, many)([], **arguments) == []
    assert sandbox.requests == 0


def test_a_lost_answer_to_a_bulk_creation_is_looked_up(client: EmnifyClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(method="POST", path=MULTI, drop="after")
    rows = [{"name": "same"}, {"name": "same"}, {"name": "other"}, {"name": "sim", "sim_id": FIRST_SIM}]
    created = client.endpoints.create_many(rows, **PROFILES)
    assert [row["name"] for row in created] == ["same", "same", "other", "sim"]
    assert len({row["id"] for row in created}) == 4
    assert all(row["id"] > FIRST + 19 for row in created)
    assert sandbox.counts[f"POST {MULTI}"] == 1


def test_an_older_endpoint_of_the_name_is_not_taken_for_a_new_one(
    client: EmnifyClient, sandbox: Sandbox
) -> None:
    client.endpoints.update(FIRST, name="same")
    sandbox.faults.add(method="POST", path=MULTI, drop="before", times=None)
    with pytest.raises(EmnifyPartialError) as caught:
        client.endpoints.create_many([{"name": "same"}], **PROFILES)
    assert caught.value.done == []
    assert caught.value.not_done == [{"name": "same"}]


def test_a_creation_that_fails_in_part_says_what_was_created(
    client: EmnifyClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(send_in_chunks.__kwdefaults__, "size", 2)
    rows = [{"name": f"n{number}"} for number in range(7)]
    sandbox.faults.add(method="POST", path=MULTI, partial=1, skip=1)
    with pytest.raises(EmnifyPartialError) as caught:
        client.endpoints.create_many(rows, **PROFILES)
    error = caught.value
    assert [row["name"] for row in error.done] == ["n0", "n1", "n2"]
    assert error.not_done == rows[3:]
    assert error.__cause__ is not None
    assert sandbox.counts[f"POST {MULTI}"] == 2, "what comes after a failed chunk is not sent"

    rest = client.endpoints.create_many(error.not_done, **PROFILES)
    names = sorted(row["name"] for row in client.endpoints.list() if row["name"].startswith("n"))
    assert names == [f"n{number}" for number in range(7)]
    assert len(rest) == 4


@pytest.mark.parametrize("count", [3, 9])
def test_a_change_that_fails_in_part_says_what_is_changed(
    client: EmnifyClient, sandbox: Sandbox, count: int
) -> None:
    ids = [FIRST + number for number in range(count)]
    sandbox.faults.add(method="PATCH", path=MULTI, partial=2, times=None)
    with pytest.raises(EmnifyPartialError) as caught:
        client.endpoints.update_many([{"id": id, "status": "disabled", "name": f"n{id}"} for id in ids])
    assert caught.value.done == ids[:2]
    assert caught.value.not_done == ids[2:]
    assert caught.value.transient
    assert caught.value.status == 500


def test_a_change_that_was_made_all_the_same_is_no_error(client: EmnifyClient, sandbox: Sandbox) -> None:
    sim = client.endpoints.get(FIRST)["sim"]["id"]
    sandbox.faults.add(method="PATCH", path=MULTI, status=500, acted=True, times=None)
    changes = [
        {"id": FIRST, "sim_id": None, "tags": "a"},
        {"id": FIRST + 1, "sim_id": FIRST_SIM, "imei_lock": False, "service_profile_id": 2},
    ]
    # A SIM is released before another one is assigned.
    client.endpoints.update_many([{"id": FIRST + 1, "sim_id": None}])
    assert client.endpoints.update_many(changes) == [FIRST, FIRST + 1]
    assert client.sims.get(sim).get("endpoint") is None


@pytest.mark.parametrize("count", [3, 9])
def test_a_deletion_that_fails_in_part_says_what_is_deleted(
    client: EmnifyClient, sandbox: Sandbox, count: int
) -> None:
    ids = [FIRST + number for number in range(count)]
    sandbox.faults.add(method="DELETE", path=MULTI, partial=2)
    sandbox.faults.add(method="DELETE", path=MULTI, status=500)  # as it is sent again
    with pytest.raises(EmnifyPartialError) as caught:
        client.endpoints.delete_many(ids)
    assert caught.value.done == ids[:2]
    assert caught.value.not_done == ids[2:]
    assert client.endpoints.delete_many(caught.value.not_done) == ids[2:]
    assert {row["id"] for row in client.endpoints.list()}.isdisjoint(ids)


@pytest.mark.parametrize("count", [3, 9])
def test_what_went_meanwhile_keeps_no_other_from_being_deleted(
    client: EmnifyClient, sandbox: Sandbox, count: int
) -> None:
    ids = [FIRST + number for number in range(count)]
    sandbox.faults.add(method="DELETE", path=MULTI, do=lambda: sandbox.state.endpoints.pop(ids[1]))
    assert client.endpoints.delete_many(ids) == ids
    assert {row["id"] for row in client.endpoints.list()}.isdisjoint(ids)


def test_of_a_deletion_that_was_made_in_part_the_rest_is_sent_again(
    client: EmnifyClient, sandbox: Sandbox
) -> None:
    ids = [FIRST, FIRST + 1, FIRST + 2, 7]
    sandbox.faults.add(
        method="DELETE", path=MULTI, do=lambda: sandbox.state.endpoints.pop(FIRST), drop="before"
    )
    assert client.endpoints.delete_many(ids) == ids
    sent = [[one["id"] for one in entry.body] for entry in sandbox.log if entry.template == MULTI]
    assert sent == [ids, ids, ids[1:3]]


def test_a_404_of_a_deletion_of_which_all_are_there_is_an_error(
    client: EmnifyClient, sandbox: Sandbox
) -> None:
    sandbox.faults.add(method="DELETE", path=MULTI, status=404, times=None)
    with pytest.raises(EmnifyPartialError) as caught:
        client.endpoints.delete_many([FIRST, FIRST + 1])
    assert (caught.value.done, caught.value.not_done) == ([], [FIRST, FIRST + 1])
    assert sandbox.counts[f"DELETE {MULTI}"] == 1


def test_a_lost_answer_to_a_creation_is_looked_up_by_sim_or_name(
    client: EmnifyClient, sandbox: Sandbox
) -> None:
    client.endpoints.update(FIRST, name="new")
    for arguments in ({"sim_id": FIRST_SIM}, {"name": "new"}):
        sandbox.faults.add(method="POST", path="/api/v1/endpoint", drop="after")
        created = client.endpoints.create(**PROFILES, **arguments)
        assert created["id"] > FIRST + 19
    assert sandbox.counts["POST /api/v1/endpoint"] == 2


def test_a_creation_with_a_sim_is_sent_again_when_it_was_not_made(
    client: EmnifyClient, sandbox: Sandbox
) -> None:
    # The connection was made, so the server might have acted: only the SIM tells that it did not.
    sandbox.faults.add(method="POST", path="/api/v1/endpoint", drop="before")
    created = client.endpoints.create(**PROFILES, name="x", sim_id=FIRST_SIM)
    assert client.sims.get(FIRST_SIM)["endpoint"]["id"] == created["id"]


def test_a_creation_that_cannot_be_recognised_is_not_sent_again(
    client: EmnifyClient, sandbox: Sandbox
) -> None:
    for arguments in ({}, {"name": "x"}):
        sandbox.faults.add(method="POST", path="/api/v1/endpoint", drop="before")
        with pytest.raises(EmnifyUnknownOutcomeError):
            client.endpoints.create(**PROFILES, **arguments)
    assert sandbox.counts["POST /api/v1/endpoint"] == 2


def test_a_lost_answer_to_the_creation_of_a_user_is_looked_up(client: EmnifyClient, sandbox: Sandbox) -> None:
    for drop in ("after", "before"):
        sandbox.faults.add(method="POST", path="/api/v1/user", drop=drop)
        created = client.users.create(username=f"{drop}@example.org", name="New", role_ids=[2])
        assert client.users.get(created["id"])["username"] == f"{drop}@example.org"
    assert sandbox.counts["POST /api/v1/user"] == 3


# --- the engine -------------------------------------------------------------------------------------------


def test_a_rejected_credential_asks_for_nothing_more() -> None:
    def send(_: list[int]) -> list[int]:
        raise EmnifyAuthenticationError("no")

    def look(_: list[int]) -> tuple[list[int], list[int]]:
        pytest.fail("a second try would lock the account")

    with pytest.raises(EmnifyPartialError) as caught:
        send_in_chunks([1, 2, 3], send=send, look=look, what="test", size=2)
    assert caught.value.not_done == [1, 2, 3]
    assert isinstance(caught.value.__cause__, EmnifyAuthenticationError)
    assert not caught.value.transient


def test_a_state_that_cannot_be_read_back_counts_as_not_done() -> None:
    def send(chunk: list[int]) -> list[int]:
        if 3 in chunk:
            raise EmnifyServerError("broken", status=502, method="PATCH", path="/x")
        return chunk

    def look(_: list[int]) -> tuple[list[int], list[int]]:
        raise EmnifyConnectionError("gone")

    with pytest.raises(
        EmnifyPartialError, match=r"could not test: broken .*could not be read: gone"
    ) as caught:
        send_in_chunks([1, 2, 3, 4, 5], send=send, look=look, what="test", size=2)
    assert caught.value.done == [1, 2]
    assert caught.value.not_done == [3, 4, 5]
    assert caught.value.transient
    assert (caught.value.status, caught.value.path) == (502, "/x")


def test_the_next_chunk_follows_when_the_failed_one_is_done(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[list[int]] = []

    def send(chunk: list[int]) -> list[int]:
        sent.append(chunk)
        if len(sent) == 1:
            raise EmnifyValidationError("assigned already")
        return chunk

    done = send_in_chunks([1, 2, 3], send=send, look=lambda chunk: (chunk, []), what="tag", size=2)
    assert done == [1, 2, 3]
    assert sent == [[1, 2], [3]]
    assert "The call to tag failed" in caplog.text


def test_split_keeps_the_order() -> None:
    assert split([1, 2, 3, 4], lambda number: number % 2 == 0) == ([2, 4], [1, 3])
