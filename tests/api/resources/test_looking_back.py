"""What a lost answer does: the created thing is recognised, and an older one like it is not taken for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_emnify.api import EmnifyPartialError, EmnifyUnknownOutcomeError
from tests.api.support import AUTHENTICATE, URL, make_client, make_token

if TYPE_CHECKING:
    import requests_mock as rm

    from airflow_provider_emnify.api import EmnifyClient

SERVER_TIME = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SMS = f"{URL}/api/v1/endpoint/7/sms"
LOST = {"exc": requests.exceptions.ReadTimeout}


@pytest.fixture
def client(requests_mock: rm.Mocker) -> EmnifyClient:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    return make_client(max_retries=0)


def listed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the answer of a list in pages that has one page."""
    headers = {"X-Current-Page": "1", "X-Total-Pages": "1", "X-Total-Count": str(len(rows))}
    return {"json": rows, "headers": headers}


def sms(number: int, ago: float, **fields: Any) -> dict[str, Any]:
    submitted = SERVER_TIME - timedelta(seconds=ago)
    return {"id": number, "payload": "on", "submit_date": f"{submitted:%Y-%m-%dT%H:%M:%S}.000+0000", **fields}


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([sms(1, ago=600), sms(2, ago=1)], 2),
        ([sms(1, ago=600)], None),
        ([sms(1, ago=1, payload="off")], None),
        ([sms(1, ago=1, udh="050003CC0202"), sms(2, ago=1, udh="050003CC0201")], 2),
        ([sms(1, ago=0, submit_date="2026-05-04 11:59:59", udh="050003CC0201")], 1),
        ([sms(1, ago=1, submit_date=None)], None),
        ([], None),
    ],
)
def test_an_sms_is_known_by_its_content_and_the_time_at_emnify(
    client: EmnifyClient, requests_mock: rm.Mocker, rows: list[dict[str, Any]], found: int | None
) -> None:
    with_udh = any("udh" in row for row in rows)
    more = {"udh": "050003CC0201"} if with_udh else {}
    sent = requests_mock.post(SMS, **LOST)
    requests_mock.get(SMS, json=rows, headers={"Date": format_datetime(SERVER_TIME, usegmt=True)})
    if found is None:
        with pytest.raises(EmnifyUnknownOutcomeError):
            client.sms.send(7, payload="on", **more)
    else:
        assert client.sms.send(7, payload="on", **more)["id"] == found
    assert sent.call_count == 1


def test_an_sms_is_not_guessed_at_without_the_time_at_emnify(
    client: EmnifyClient, requests_mock: rm.Mocker
) -> None:
    requests_mock.post(SMS, **LOST)
    requests_mock.get(SMS, json=[sms(1, ago=1)])
    with pytest.raises(EmnifyUnknownOutcomeError):
        client.sms.send(7, payload="on")


@pytest.mark.parametrize("status", [500, 404])
def test_what_cannot_be_looked_for_is_of_unknown_outcome(
    client: EmnifyClient, requests_mock: rm.Mocker, status: int
) -> None:
    """An error of the look alone would say that the call may be made again."""
    requests_mock.post(SMS, **LOST)
    requests_mock.get(SMS, status_code=status)
    operation = f"{URL}/api/v1/euicc/7/operation"
    requests_mock.post(operation, **LOST)
    requests_mock.get(operation, [listed([]), {"status_code": status}])
    for call in (
        lambda: client.sms.send(7, payload="on"),
        lambda: client.euiccs.schedule_operation(7, action_id=1),
    ):
        with pytest.raises(EmnifyUnknownOutcomeError, match="Looking for it failed") as caught:
            call()
        assert not caught.value.transient


def test_a_thing_is_known_by_its_name_among_those_that_are_new(
    client: EmnifyClient, requests_mock: rm.Mocker
) -> None:
    path = f"{URL}/api/v1/service_profile"
    old, new = {"id": 1, "name": "trackers"}, {"id": 9, "name": "trackers"}
    requests_mock.get(path, [{"json": [old]}, {"json": [old, {"id": 8, "name": "x"}, new]}])
    requests_mock.post(path, **LOST)
    assert client.service_profiles.create(name="trackers")["id"] == 9


def test_an_older_thing_of_the_name_is_not_taken_for_the_new_one(
    client: EmnifyClient, requests_mock: rm.Mocker
) -> None:
    tags = {"total": 1, "page": 1, "page_size": 10, "last_page": 1, "data": [{"id": 1, "name": "red"}]}
    requests_mock.get(f"{URL}/api/v2/tags", json=tags)
    requests_mock.post(f"{URL}/api/v2/tags", **LOST)
    with pytest.raises(EmnifyUnknownOutcomeError):
        client.tags.create(name="red")


def test_what_emnify_keeps_unique_is_sent_again_when_it_is_not_found(
    client: EmnifyClient, requests_mock: rm.Mocker
) -> None:
    none = {"total": 0, "page": 1, "page_size": 10, "last_page": 1, "data": []}
    requests_mock.get(f"{URL}/api/v2/tags", json=none)
    sent = requests_mock.post(f"{URL}/api/v2/tags", [LOST, {"json": {"id": 9}}])
    assert client.tags.create(name="red")["id"] == 9
    assert sent.call_count == 2


@pytest.mark.parametrize("many", ["assign_many", "unassign_many"])
def test_tags_that_are_so_already_are_done(client: EmnifyClient, requests_mock: rm.Mocker, many: str) -> None:
    path = {"assign_many": "add-tags", "unassign_many": "remove-tags"}[many]
    refused = {"error_code": 1405, "error_token": "Duplicated", "message": "assigned already"}
    requests_mock.post(f"{URL}/api/v2/bulk-operations/endpoint/{path}", status_code=409, json=refused)
    requests_mock.get(f"{URL}/api/v2/endpoint/1/tags", json=[{"id": 5}, {"id": 6}])
    requests_mock.get(f"{URL}/api/v2/endpoint/2/tags", json=[{"id": 6}])
    requests_mock.get(f"{URL}/api/v2/endpoint/3/tags", status_code=404)
    rows = [{"endpoint_id": number, "tag_ids": [5]} for number in (1, 2, 3)]
    with pytest.raises(EmnifyPartialError) as caught:
        getattr(client.tags, many)(rows)
    has, has_not = [1], [2, 3]
    done, not_done = (has, has_not) if many == "assign_many" else (has_not, has)
    assert [row["endpoint_id"] for row in caught.value.done] == done
    assert [row["endpoint_id"] for row in caught.value.not_done] == not_done


def test_deleted_sims_are_known(client: EmnifyClient, requests_mock: rm.Mocker) -> None:
    requests_mock.delete(f"{URL}/api/v1/sim/multi", status_code=500)
    requests_mock.get(f"{URL}/api/v1/sim/1", status_code=404)
    requests_mock.get(f"{URL}/api/v1/sim/2", json={"id": 2, "status": {"id": 3}})
    requests_mock.get(f"{URL}/api/v1/sim/3", json={"id": 3, "status": {"id": 2}})
    with pytest.raises(EmnifyPartialError) as caught:
        client.sims.delete_many("[1, 2, 3]")
    assert (caught.value.done, caught.value.not_done) == ([1, 2], [3])


def euicc_operation(number: int, action: int = 1, iccid: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"id": f"op-{number}", "action": {"id": action, "description": "Enable profile"}}
    return found if iccid is None else {**found, "iccid_with_luhn": iccid}


@pytest.mark.parametrize(
    ("new", "found"),
    [
        ([euicc_operation(2)], "op-2"),
        ([euicc_operation(3, action=2), euicc_operation(2)], "op-2"),
        ([euicc_operation(2, iccid="89")], "op-2"),
        ([euicc_operation(2, iccid="90")], None),
        ([euicc_operation(2, action=2)], None),
        ([], None),
    ],
)
def test_an_euicc_operation_is_known_by_its_action_and_profile_among_those_that_are_new(
    client: EmnifyClient, requests_mock: rm.Mocker, new: list[dict[str, Any]], found: str | None
) -> None:
    path = f"{URL}/api/v1/euicc/7/operation"
    old = [euicc_operation(1), euicc_operation(0, iccid="89")]
    requests_mock.get(path, [listed(old), listed([*new, *old])])
    sent = requests_mock.post(path, **LOST)
    iccid = "89" if any("iccid_with_luhn" in row for row in new) else None
    if found is None:
        with pytest.raises(EmnifyUnknownOutcomeError):
            client.euiccs.schedule_operation(7, action_id=1, iccid_with_luhn=iccid)
    else:
        assert client.euiccs.schedule_operation(7, action_id=1, iccid_with_luhn=iccid)["id"] == found
    assert sent.call_count == 1


def sim_operation(number: int, *sims: int, product: int | None = None) -> dict[str, Any]:
    target = [{"sim": {"id": sim_id}, "eid": f"89{sim_id}"} for sim_id in sims]
    found = {"id": f"op-{number}", "action": {"id": 1}, "target": target}
    return found if product is None else {**found, "product": {"id": product}}


@pytest.mark.parametrize(
    ("new", "found"),
    [
        ([sim_operation(2, 8, 7)], "op-2"),
        ([sim_operation(2, 7)], None),
        ([sim_operation(2, 7, 8, 9)], None),
        ([sim_operation(2, 7, 8, product=1)], "op-2"),
        ([], None),
    ],
)
def test_a_sim_operation_is_known_by_its_targets_among_those_that_are_new(
    client: EmnifyClient, requests_mock: rm.Mocker, new: list[dict[str, Any]], found: str | None
) -> None:
    path = f"{URL}/api/v1/sim/operation"
    old = [sim_operation(1, 7, 8)]
    requests_mock.get(path, [listed(old), listed([*new, *old])])
    sent = requests_mock.post(path, **LOST)
    if found is None:
        with pytest.raises(EmnifyUnknownOutcomeError):
            client.sim_operations.trigger(action_id=1, sim_ids=[7], eids=["898"])
    else:
        assert client.sim_operations.trigger(action_id=1, sim_ids=[7], eids=["898"])["id"] == found
    assert sent.call_count == 1
