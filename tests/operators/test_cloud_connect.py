from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyUnknownOutcomeError
from airflow_provider_emnify.api.resources.cloud_connect import CloudConnect
from airflow_provider_emnify.operators.cloud_connect import (
    EmnifyCreateCloudConnectOperator,
    EmnifyDeleteCloudConnectOperator,
)
from airflow_provider_emnify.sandbox.world.records.integrations import ACTIVE, DEACTIVATING
from tests.operators.deferring import deferred, resume
from tests.operators.idempotency.overlapping import in_turn
from tests.operators.support import context

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

PATH = "/api/v1/cnc/breakout"
ONE = f"{PATH}/{{cloudconnect_attachment_id}}"
PSK = "a.pre_shared.Key7"
TGW: dict[str, Any] = {
    "type": "tgw",
    "region": "eu-west-1",
    "aws_account_id": "012345678901",
    "vpc_cidr": ["10.0.0.0/16", "10.1.0.0/16"],
}
VPN: dict[str, Any] = {"type": "vpn", "public_ip": "203.0.113.7", "on_prem_cidr": "10.8.0.0/16"}


pytestmark = pytest.mark.fleet()


@pytest.fixture(autouse=True)
def _office(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection with a pre-shared key."""
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", json.dumps({"conn_type": "generic", "password": PSK}))


def create(kind: Any = None, **arguments: Any) -> EmnifyCreateCloudConnectOperator:
    given = {"name": "office", "poll_interval": 0.01, **(TGW if kind is None else kind), **arguments}
    return EmnifyCreateCloudConnectOperator(task_id="t", **given)


def delete(**arguments: Any) -> EmnifyDeleteCloudConnectOperator:
    given = {"attachment_id": "office", "confirm": True, **arguments}
    return EmnifyDeleteCloudConnectOperator(task_id="t", **given)


def posted(sandbox: Sandbox) -> list[Any]:
    return [entry.body for entry in sandbox.log if entry.method == "POST" and PATH in str(entry.template)]


class TestCreate:
    def test_a_transit_gateway(self, fleet: Sandbox) -> None:
        assert create(description="to our VPC").execute(context()) == 1
        assert posted(fleet) == [
            {
                "type": "1",
                "name": "office",
                "description": "to our VPC",
                "region": "eu-west-1",
                "aws_account_id": "012345678901",
                "vpc_cidr": ["10.0.0.0/16", "10.1.0.0/16"],
            }
        ]

    def test_a_vpn(self, fleet: Sandbox) -> None:
        create(VPN, on_prem_cidr="['10.8.0.0/16', '10.9.0.0/16']", region="us-east-1").execute(context())
        assert posted(fleet) == [
            {
                "type": {"id": "2"},
                "name": "office",
                "region": "us-east-1",
                "public_ip": "203.0.113.7",
                "on_prem_cidr": ["10.8.0.0/16", "10.9.0.0/16"],
            }
        ]

    def test_a_vpn_with_bgp(self, fleet: Sandbox) -> None:
        kind = {**VPN, "type": "vpn_bgp", "asn": "65000", "inside_cidr": ["169.254.10.0/30"]}
        create(kind, psk_conn_id="office").execute(context())
        [sent] = posted(fleet)
        assert sent["type"] == {"id": "3"}
        assert (sent["asn"], sent["inside_cidr"]) == (65000, ["169.254.10.0/30"])
        assert fleet.state.attachments[1].tunnel["psk"] == PSK

    @pytest.mark.parametrize("kind", [TGW, VPN], ids=["tgw", "vpn"])
    def test_it_waits_until_the_attachment_is_active(self, fleet: Sandbox, kind: Any) -> None:
        operator = create(kind, wait_for_completion=True, deferrable=True)
        deferral = deferred(operator)
        assert deferral.timeout is not None
        assert deferral.timeout.days >= 8  # an offer can stay open for seven
        fleet.clock.advance(10)
        assert resume(operator, deferral) == 1

    @pytest.mark.parametrize("status", [7, 8])
    def test_an_attachment_that_fails_ends_the_wait(self, fleet: Sandbox, status: int) -> None:
        fleet.outcomes.add("cloud_connect", "office", status=status)
        operator = create(wait_for_completion=True, deferrable=True)
        deferral = deferred(operator)
        fleet.clock.advance(10)
        with pytest.raises(AirflowFailException, match="Cloud Connect attachment 1 is"):
            resume(operator, deferral)

    def test_a_kill_leaves_the_attachment(self, fleet: Sandbox) -> None:
        operator = create(wait_for_completion=True, deferrable=True)
        deferred(operator)
        operator.on_kill()
        assert fleet.counts[f"DELETE {ONE}"] == 0

    @pytest.mark.parametrize("kind", [TGW, VPN], ids=["tgw", "vpn"])
    def test_a_lost_answer_creates_nothing_twice(self, fleet: Sandbox, kind: Any) -> None:
        fault = fleet.faults.add(method="POST", path=f"{PATH}/(tgw|vpn)", drop="after")
        assert create(kind).execute(context()) == 1
        assert (fault.hits, len(posted(fleet)), len(fleet.state.attachments)) == (1, 1, 1)

    def test_a_request_that_never_arrived_is_left_to_a_retry(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=f"{PATH}/tgw", drop="before")
        operator = create()
        with pytest.raises(EmnifyUnknownOutcomeError):
            operator.execute(context())
        assert operator.execute(context(try_number=2)) == 1
        assert len(fleet.state.attachments) == 1

    @pytest.mark.parametrize("if_exists", ["skip", "fail"])
    def test_a_worker_that_died_right_after_sending_creates_nothing_twice(
        self, fleet: Sandbox, if_exists: str
    ) -> None:
        started = fleet.clock.time()
        create(if_exists=if_exists).execute(context())  # and dies
        again = create(if_exists=if_exists).execute(context(try_number=2, run_started=started))
        assert again == 1
        assert len(posted(fleet)) == 1

    def test_an_attachment_that_exists_is_used_as_it_is(self, fleet: Sandbox) -> None:
        create().execute(context())
        fleet.clock.advance(10)
        assert create(wait_for_completion=True).execute(context()) == 1
        assert len(posted(fleet)) == 1

    def test_or_refused_if_asked(self, fleet: Sandbox) -> None:
        create().execute(context())
        with pytest.raises(AirflowFailException, match="attachment 1 is named 'office', created"):
            create(if_exists="fail").execute(context())

    def test_one_of_another_type_is_an_error(self, fleet: Sandbox) -> None:
        create().execute(context())
        with pytest.raises(
            AirflowFailException, match="attachment 1 is named 'office' and is not of type vpn"
        ):
            create(VPN).execute(context())

    def test_one_that_is_being_deleted_does_not_count(self, fleet: Sandbox) -> None:
        create().execute(context())
        fleet.state.attachments[1].status = DEACTIVATING
        assert create().execute(context()) == 2

    def test_an_offer_that_has_expired_is_made_again(self, fleet: Sandbox) -> None:
        create().execute(context())
        fleet.clock.advance(1)
        fleet.state.attachments[1].offer_ends = fleet.clock.time() - 8 * 86_400
        operator = create(wait_for_completion=True, deferrable=True)
        deferral = deferred(operator)
        assert fleet.counts[f"PATCH {ONE}"] == 1
        fleet.clock.advance(10)
        assert resume(operator, deferral) == 1
        assert fleet.state.attachments[1].status == ACTIVE

    def test_two_runs_that_look_at_the_same_moment_create_one(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runs = [lambda: create().execute(context()) for _ in range(2)]
        assert in_turn(monkeypatch, CloudConnect, "create_transit_gateway", *runs) == [1, 1]
        assert len(fleet.state.attachments) == 1

    def test_two_of_the_name_are_an_error(self, fleet: Sandbox) -> None:
        create().execute(context())
        create(name="other").execute(context())
        fleet.state.attachments[2].name = "office"
        with pytest.raises(AirflowFailException, match="1, 2 are all named 'office'"):
            create().execute(context())


class TestPreSharedKey:
    def test_it_stands_in_no_argument_log_deferral_or_result(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(EmnifyCreateCloudConnectOperator, "log", logging.getLogger("operator"))
        caplog.set_level(logging.DEBUG)
        operator = create(VPN, psk_conn_id="office", wait_for_completion=True, deferrable=True)
        deferral = deferred(operator)
        assert posted(fleet)[0]["psk"]
        told = [
            caplog.text,
            repr([getattr(operator, field) for field in operator.template_fields]),
            json.dumps([deferral.trigger.serialize(), deferral.kwargs]),
        ]
        fleet.clock.advance(10)
        told += [repr(resume(operator, deferral)), caplog.text]
        assert PSK not in "".join(told)

    def test_emnify_s_errors_do_not_show_it(self, fleet: Sandbox) -> None:
        answer = {"error_code": 1000, "error_token": "X", "message": f"psk {PSK} is too simple"}
        fleet.faults.add(method="POST", path=f"{PATH}/vpn", status=400, body=answer)
        with pytest.raises(AirflowFailException, match=r"psk \*\*\* is too simple"):
            create(VPN, psk_conn_id="office").execute(context())

    @pytest.mark.parametrize("bad", ["short", "0begins-with-0", "0beginswith0", "has spaces in it", "x" * 65])
    def test_what_is_none_is_an_error_that_does_not_show_it(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, bad: str
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_OFFICE", json.dumps({"conn_type": "generic", "password": bad}))
        with pytest.raises(
            AirflowFailException, match="connection 'office' is not a valid pre-shared key"
        ) as caught:
            create(VPN, psk_conn_id="office").execute(context())
        assert bad not in str(caught.value)
        assert posted(fleet) == []


class TestDelete:
    @pytest.mark.parametrize("by", ["id", "name"])
    def test_it_is_deleted_once(self, fleet: Sandbox, by: str) -> None:
        create().execute(context())
        operator = delete(attachment_id=1 if by == "id" else "office")
        assert operator.execute(context()) == [1]
        assert operator.execute(context()) == ([1] if by == "id" else [])  # it is being deleted
        fleet.clock.advance(10)
        assert operator.execute(context()) == ([1] if by == "id" else [])
        assert fleet.counts[f"DELETE {ONE}"] == 1

    @pytest.mark.parametrize("later", [0, 10])
    def test_a_lost_answer_is_no_failure(self, fleet: Sandbox, later: int) -> None:
        """emnify refuses to delete what is deactivated by the time that the request is sent again."""
        create().execute(context())
        fleet.faults.add(method="DELETE", path=ONE, drop="after")
        fleet.faults.add(method="DELETE", path=ONE, do=lambda: fleet.clock.advance(later))
        assert delete().execute(context()) == [1]

    @pytest.mark.parametrize("status", [400, 404, 409])
    def test_one_that_is_gone_in_the_meantime_is_done(self, fleet: Sandbox, status: int) -> None:
        create().execute(context())
        fleet.faults.add(method="DELETE", path=ONE, status=status, do=fleet.state.attachments.clear)
        assert delete().execute(context()) == [1]

    def test_one_that_emnify_refuses_to_delete_is_an_error(self, fleet: Sandbox) -> None:
        create().execute(context())
        fleet.faults.add(method="DELETE", path=ONE, status=400)
        with pytest.raises(AirflowFailException, match="answered 400"):
            delete().execute(context())

    @pytest.mark.parametrize("confirm", [False, None, 1, "True"])
    def test_it_has_to_be_confirmed(self, confirm: Any) -> None:
        with pytest.raises(ValueError, match="confirm=True"):
            delete(confirm=confirm)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (create, {"name": ""}, "name: ''"),
        (create, {"type": "direct"}, "type: 'direct'"),
        (create, {"region": None}, "region: needed for type 'tgw'"),
        (create, {"aws_account_id": "123"}, "aws_account_id: '123'"),
        (create, {"vpc_cidr": []}, "vpc_cidr: "),
        (create, {"vpc_cidr": ["10.0.0.1/16"]}, "vpc_cidr: '10.0.0.1/16' is not a valid address range"),
        (create, {"psk_conn_id": "x", "asn": 1}, "asn, psk_conn_id|psk_conn_id, asn: not for type 'tgw'"),
        (create, {"kind": VPN, "public_ip": "vpn.example.org"}, "public_ip: 'vpn.example.org'"),
        (create, {"kind": VPN, "on_prem_cidr": "1.0.0.0/8,2.0.0.0/8,3.0.0.0/8,4.0.0.0/8"}, "up to 3"),
        (create, {"kind": VPN, "asn": 65000}, "asn: not for type 'vpn'"),
        (create, {"kind": {**VPN, "type": "vpn_bgp"}}, "asn: needed for type 'vpn_bgp'"),
        (create, {"if_exists": "update"}, "if_exists: 'update'"),
        (create, {"wait_for_completion": None}, "wait_for_completion: None"),
        (delete, {"attachment_id": ""}, "attachment_id: ''"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(make: Any, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**arguments)
