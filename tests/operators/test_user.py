from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyServerError, EmnifyUnknownOutcomeError, UserStatus
from airflow_provider_emnify.api.transport.answers import moment_in
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.operators.user import (
    EmnifyAssignUserRolesOperator,
    EmnifyCreateUserOperator,
    EmnifyDeleteUserOperator,
    EmnifyInviteUserOperator,
    EmnifyUpdateUserOperator,
)
from tests.operators.support import context, run, without_retries

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("sandbox_connection")

ADA = "ada@example.org"


def create(**arguments: Any) -> EmnifyCreateUserOperator:
    return EmnifyCreateUserOperator(
        task_id="t", **{"username": ADA, "name": "Ada", "if_exists": "fail", **arguments}
    )


def read(user: int | str = ADA) -> Any:
    with EmnifyHook() as hook:
        return hook.get_conn().users.get(user)


def roles(user: int | str = ADA) -> list[int]:
    return [role["id"] for role in read(user)["roles"]]


def test_a_user_is_created_and_the_id_returned(sandbox: Sandbox) -> None:
    user_id = create(role_ids="2,3", organisation_id="100").execute(context())
    assert isinstance(user_id, int)
    assert read()["id"] == user_id
    assert roles() == [2, 3]
    sent = [entry for entry in sandbox.log if entry.method == "POST" and entry.path == "/api/v1/user"]
    assert sent[0].body == {
        "username": ADA,
        "name": "Ada",
        "organisation": {"id": 100},
        "roles": [{"id": 2}, {"id": 3}],
    }


def test_one_authentication_a_task(sandbox: Sandbox) -> None:
    create().execute(context())
    assert sandbox.authentications == 1


def test_a_taken_username_fails_for_good_and_names_the_user(sandbox: Sandbox) -> None:
    user_id = create().execute(context())
    with pytest.raises(AirflowFailException, match=rf"{ADA} is taken by user {user_id}.*if_exists"):
        create().execute(context())
    assert sandbox.counts["POST /api/v1/user"] == 1


def test_a_retry_finds_the_user_that_its_first_try_created(sandbox: Sandbox) -> None:
    now = sandbox.clock.time()
    user_id = create().execute(context(run_started=now))
    assert create().execute(context(try_number=2, run_started=now)) == user_id


def test_a_task_that_is_cleared_when_its_run_has_ended_finds_its_own_user(sandbox: Sandbox) -> None:
    due = datetime.fromtimestamp(sandbox.clock.time(), UTC)
    user_id = create().execute(context())
    sandbox.clock.advance(3600)
    assert create().execute(run(sandbox, 2, clear_number=1, run_after=due)) == user_id


@pytest.mark.parametrize(
    ("later", "name"), [(3600.0, "Ada"), (0.0, "Another Ada")], ids=["older than the run", "another name"]
)
def test_a_retry_does_not_take_another_s_user_for_its_own(sandbox: Sandbox, later: float, name: str) -> None:
    now = sandbox.clock.time()
    create().execute(context())
    with pytest.raises(AirflowFailException, match="is taken"):
        create(name=name).execute(context(try_number=2, run_started=now + later))


def test_a_lost_answer_makes_no_second_user(sandbox: Sandbox) -> None:
    sandbox.faults.add(method="POST", path="/api/v1/user", drop="after")
    user_id = create().execute(context())
    assert read()["id"] == user_id
    assert sandbox.counts["POST /api/v1/user"] == 1


def test_skip_leaves_the_user_as_it_is(sandbox: Sandbox) -> None:
    user_id = create(role_ids=[3]).execute(context())
    assert create(if_exists="skip", name="Countess", role_ids=[1]).execute(context()) == user_id
    assert read()["name"] == "Ada"
    assert roles() == [3]
    assert sandbox.counts["PATCH /api/v1/user/{user_id}"] == 0


def test_update_gives_name_and_exactly_the_roles(sandbox: Sandbox) -> None:
    user_id = create(role_ids=[2, 3]).execute(context())
    assert create(if_exists="update", name="Countess", role_ids=[1, 3]).execute(context()) == user_id
    assert read()["name"] == "Countess"
    assert sorted(roles()) == [1, 3]
    before = sandbox.requests
    create(if_exists="update", name="Countess", role_ids=[3, 1]).execute(context())
    assert sandbox.requests == before + 2  # authentication, and the look


def test_update_cannot_move_a_user() -> None:
    create().execute(context())
    with pytest.raises(AirflowFailException, match="cannot be moved to 101"):
        create(if_exists="update", organisation_id=101).execute(context())


def test_a_refused_role_fails_for_good() -> None:
    with pytest.raises(AirflowFailException):
        create(role_ids=[99]).execute(context())


def test_a_passing_error_is_left_to_airflow_s_retries(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_retries(sandbox, monkeypatch)
    sandbox.faults.add(path="/api/v1/user/{user_id}", status=500)
    with pytest.raises(EmnifyServerError):
        create().execute(context())


@pytest.mark.parametrize(
    "arguments",
    [
        {"username": ""},
        {"username": 7},
        {"name": " "},
        {"if_exists": "replace"},
        {"organisation_id": "main"},
        {"organisation_id": [1, 2]},
        {"role_ids": "admin"},
        {"role_ids": True},
        {"role_ids": 1.5},
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        create(**arguments)


def test_templates_are_checked_when_they_are_rendered() -> None:
    operator = create(role_ids="{{ params.roles }}")
    operator.role_ids = "administrator"
    with pytest.raises(AirflowFailException, match="role_ids: 'administrator'"):
        operator.execute(context())


def test_an_invitation_returns_the_user_s_id(sandbox: Sandbox) -> None:
    operator = EmnifyInviteUserOperator(task_id="t", username=ADA, name="Ada", role_ids=[3])
    user_id = operator.execute(context())
    assert read()["id"] == user_id
    assert EmnifyInviteUserOperator(task_id="t", username=ADA, name="Ada").execute(context()) == user_id
    assert not sandbox.failures


def test_an_invitation_whose_answer_is_lost_is_left_to_a_retry_which_finds_it(sandbox: Sandbox) -> None:
    sandbox.faults.add(method="POST", path="/api/v2/user/invitation", drop="after")
    with pytest.raises(EmnifyUnknownOutcomeError, match="not sent again"):
        EmnifyInviteUserOperator(task_id="t", username=ADA, name="Ada").execute(context())
    assert sandbox.counts["POST /api/v2/user/invitation"] == 1
    user_id = EmnifyInviteUserOperator(task_id="t", username=ADA, name="Ada").execute(context())
    assert read()["id"] == user_id


def test_update_sends_what_differs_only(sandbox: Sandbox) -> None:
    user_id = create().execute(context())
    operator = EmnifyUpdateUserOperator(task_id="t", user_id=ADA, name="Ada", status="suspended")
    assert operator.execute(context()) == user_id
    assert sandbox.log[-1].body == {"status": {"id": 2}}
    assert read()["status"]["id"] == UserStatus.SUSPENDED
    assert operator.execute(context()) == user_id
    assert sandbox.counts["PATCH /api/v1/user/{user_id}"] == 1


def test_a_renamed_user_is_found_when_the_task_runs_again() -> None:
    user_id = create().execute(context())
    operator = EmnifyUpdateUserOperator(task_id="t", user_id=ADA, username="countess@example.org")
    assert operator.execute(context()) == user_id
    assert operator.execute(context()) == user_id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"user_id": 7}, "at least one"),
        ({"user_id": [7, 8], "name": "x"}, "not one user"),
        ({"user_id": "Ada", "name": "x"}, "user_id"),
        (
            {"user_id": 7, "status": "activation_pending"},
            "status: .activation_pending. is not a valid user status; allowed: active, suspended",
        ),
        ({"user_id": 7, "status": "asleep"}, "^status: 'asleep'"),
        ({"user_id": 7, "name": " "}, "^name, username, status: give at least one"),
        ({"user_id": 7, "username": 5}, "^username: 5"),
    ],
)
def test_a_bad_change_is_refused_when_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmnifyUpdateUserOperator(task_id="t", **arguments)


def test_an_update_of_nobody_fails_for_good() -> None:
    with pytest.raises(AirflowFailException):
        EmnifyUpdateUserOperator(task_id="t", user_id=ADA, name="Ada").execute(context())


def test_delete_needs_confirmation() -> None:
    with pytest.raises(ValueError, match="confirm=True"):
        EmnifyDeleteUserOperator(task_id="t", user_id=7)


def test_a_deleted_user_is_done() -> None:
    user_id = create().execute(context())
    operator = EmnifyDeleteUserOperator(task_id="t", user_id=ADA, confirm=True)
    assert operator.execute(context()) == [user_id]
    assert operator.execute(context()) == []


def test_roles_are_added_and_a_role_that_is_there_is_done(sandbox: Sandbox) -> None:
    create(role_ids=[2]).execute(context())
    operator = EmnifyAssignUserRolesOperator(task_id="t", user_id=ADA, role_ids="[2, 3]")
    assert operator.execute(context()) == [2, 3]
    assert operator.execute(context()) == [2, 3]
    assert sandbox.counts["PUT /api/v1/user/{user_id}/role/{role_id}"] == 1
    assert roles() == [2, 3]


def test_roles_are_replaced_without_ever_taking_the_last_one() -> None:
    create(role_ids=[2]).execute(context())
    operator = EmnifyAssignUserRolesOperator(task_id="t", user_id=ADA, role_ids=[3], replace=True)
    assert operator.execute(context()) == [3]
    assert roles() == [3]


def test_no_roles_do_nothing(sandbox: Sandbox) -> None:
    assert EmnifyAssignUserRolesOperator(task_id="t", user_id=ADA, role_ids="[]").execute(context()) == []
    assert sandbox.requests == 0


@pytest.mark.parametrize(
    "text", ["2021-11-18T08:25:53.000+0000", "2021-11-18T08:25:53Z", "2021-11-18T08:25:53"]
)
def test_emnify_s_dates_are_understood(text: str) -> None:
    moment = moment_in({"created": text}, "created")
    assert moment is not None
    assert moment.isoformat() == "2021-11-18T08:25:53+00:00"


@pytest.mark.parametrize("roles", [[{"id": "x"}], [{}], [7], [None], {"id": 1}, 7, [{"id": 1}, {"id": {}}]])
def test_roles_that_cannot_be_read_are_not_replaced(sandbox_connection: Sandbox, roles: Any) -> None:
    user = sandbox_connection.state.add_user("ada@example.org", "Ada", [1], sandbox_connection.clock.time())
    body = {"id": user.id, "username": "ada@example.org", "status": {"id": 1}, "roles": roles}
    sandbox_connection.faults.add(
        method="GET", path="/api/v1/user/{user_id}", status=200, body=body, times=None
    )
    operator = EmnifyAssignUserRolesOperator(task_id="t", user_id=user.id, role_ids=[3], replace=True)
    with pytest.raises(EmnifyServerError, match="could not be read"):
        operator.execute(context())
