"""What EmnifyEventSensor and ``not_online_for`` promise of events, against the sandbox."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.enums import EventSeverity, EventSource, EventType
from airflow_provider_emnify.sensors.endpoint import EmnifyEndpointConnectivitySensor
from airflow_provider_emnify.sensors.event import EmnifyEventSensor
from airflow_provider_emnify.triggers.base import HAS_WATCHERS
from airflow_provider_emnify.triggers.event import EmnifyEventTrigger
from tests.fleets import ids_of
from tests.operators.support import context, without_retries
from tests.sensors.modes import run
from tests.sensors.test_sensors import in_each_mode, options

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.api.waits.wait import Wait
    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sensors.modes import Mode

HOUR = 3600.0
LIST = "GET /api/v1/event"
OF_ENDPOINT = "GET /api/v1/endpoint/{endpoint_id}/event"


def online_for_two_days(sandbox: Sandbox) -> None:
    sandbox.clock.advance(60)
    sandbox.state  # noqa: B018 - everything that is due happens
    sandbox.clock.advance(48 * HOUR - 60)


pytestmark = pytest.mark.fleet(8, retries=False, ago=48 * HOUR, prepare=online_for_two_days)


def happen(sandbox: Sandbox, endpoint_id: int | None = None, *, ago: float = 0.0, **more: Any) -> Any:
    """Let something happen, or come to be known that happened earlier."""
    state = sandbox.state
    kind = more.pop("kind", EventType.ENDPOINT_BLOCKED)
    endpoint = None if endpoint_id is None else state.endpoints[endpoint_id]
    return state.emit(kind, "Something.", sandbox.clock.time() - ago, endpoint=endpoint, **more)


def sensor(mode: Mode, **arguments: Any) -> EmnifyEventSensor:
    return EmnifyEventSensor(
        **options(mode), **{"since": datetime.now(UTC) - timedelta(hours=1), **arguments}
    )


@in_each_mode
class TestEvents:
    def test_it_waits_for_an_event_of_any_endpoint(self, fleet: Sandbox, mode: Mode) -> None:
        def change(look: int) -> None:
            if look == 3:
                happen(fleet, ids_of(fleet)[1])

        seen = run(sensor(mode, event_type="Endpoint blocked"), before_look=change)
        assert list(seen) == ["any"]
        assert seen["any"].startswith("Something. (event ")

    def test_it_does_not_miss_an_event_that_arrives_late(self, fleet: Sandbox, mode: Mode) -> None:
        def change(look: int) -> None:
            if look == 3:
                happen(fleet, ids_of(fleet)[0], ago=0.9 * HOUR)

        assert run(sensor(mode, endpoint_ids=ids_of(fleet)[0], event_type=11), before_look=change)

    def test_it_sees_each_of_the_events_that_share_a_timestamp(self, fleet: Sandbox, mode: Mode) -> None:
        first, second = ids_of(fleet)[:2]
        moment = fleet.clock.time()
        for key in (first, second):
            fleet.state.emit(EventType.ENDPOINT_BLOCKED, "x", moment, endpoint=fleet.state.endpoints[key])
        assert set(run(sensor(mode, endpoint_ids=[first, second], event_type=11))) == {
            str(first),
            str(second),
        }

    def test_what_was_before_does_not_count(self, fleet: Sandbox, mode: Mode) -> None:
        key = ids_of(fleet)[0]
        happen(fleet, key, ago=2 * HOUR)

        def change(look: int) -> None:
            if look == 2:
                happen(fleet, key)

        run(sensor(mode, endpoint_ids=key, event_type=11), before_look=change)
        assert fleet.counts[OF_ENDPOINT] == 2

    def test_an_endpoint_that_does_not_exist_has_no_events_and_is_waited_for(
        self, fleet: Sandbox, mode: Mode
    ) -> None:
        def change(look: int) -> None:
            if look == 2:
                happen(fleet, ids_of(fleet)[0])

        watch = sensor(mode, endpoint_ids=[7, ids_of(fleet)[0]], event_type=11, wait_for="any")
        seen = run(watch, before_look=change)
        assert seen["7"] == "NO EVENT YET"

    @pytest.mark.parametrize(
        ("filters", "passes"),
        [
            ({"severity": "critical"}, True),
            ({"severity": ["warn", 2]}, True),
            ({"severity": "info"}, False),
            ({"source": "policy_control"}, True),
            ({"source": EventSource.API}, False),
            ({"event_type": [11, "data quota assigned"]}, True),
            ({"event_type": "endpoint BLOCKED"}, True),
            ({"event_type": 12}, False),
            ({"tags": ["arduino", "x"]}, True),
            ({"tags": "ardu"}, False),
            ({"tags": "['arduino', 'x']", "event_type": "[11, 12]", "severity": '["warn", 2]'}, True),
            ({"tags": "['ardu']"}, False),
            ({"tags": "None", "event_type": " ", "severity": "null", "source": "None"}, True),
        ],
    )
    def test_filters(self, fleet: Sandbox, mode: Mode, filters: dict[str, Any], passes: bool) -> None:
        key = ids_of(fleet)[0]
        fleet.state.endpoints[key].tags = "arduino, meter"
        happen(fleet, key, severity=EventSeverity.CRITICAL, source=EventSource.POLICY_CONTROL)
        watch = sensor(mode, endpoint_ids=key, **{"severity": "critical", **filters})
        verdict = watch.wait().judge(look(fleet, watch.wait()))
        assert verdict.done is passes

    def test_many_endpoints_are_looked_for_in_one_list(self, fleet: Sandbox, mode: Mode) -> None:
        for key in ids_of(fleet):
            happen(fleet, key)
        assert len(run(sensor(mode, endpoint_ids=ids_of(fleet), event_type=11))) == 8
        assert (fleet.counts[LIST], fleet.counts[OF_ENDPOINT]) == (1, 0)

    def test_both_recorded_forms_of_an_event_are_understood(
        self, make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch, mode: Mode
    ) -> None:
        sandbox = make_sandbox(2, limits=False, quirks=True)
        without_retries(sandbox, monkeypatch)
        first, second = ids_of(sandbox)
        for key in (first, second):
            happen(sandbox, key, severity=EventSeverity.WARN, source=EventSource.NETWORK)
        watch = sensor(mode, endpoint_ids=[first, second], severity="warn", source="network")
        assert len(run(watch)) == 2


def look(sandbox: Sandbox, wait: Wait) -> Any:
    from airflow_provider_emnify.api import Credentials, EmnifyClient, Limits
    from airflow_provider_emnify.api.waits.wait import read

    credentials = Credentials(application_token=sandbox.application_token)
    with EmnifyClient(credentials, base_url=sandbox.url, limits=Limits("memory")) as client:
        return read(client, wait.kind, wait.ids, wait.filters)


@pytest.mark.parametrize(
    ("run_context", "since"),
    [
        ({"data_interval_start": datetime(2026, 1, 2, tzinfo=UTC)}, "2026-01-02T00:00:00Z"),
        (
            {
                "data_interval_start": None,
                "dag_run": SimpleNamespace(run_after=datetime(2026, 1, 3, tzinfo=UTC)),
            },
            "2026-01-03T00:00:00Z",
        ),
        ({"dag_run": SimpleNamespace(start_date=datetime(2026, 1, 4, tzinfo=UTC))}, "2026-01-04T00:00:00Z"),
    ],
)
def test_it_looks_from_the_start_of_the_data_interval(
    fleet: Sandbox, run_context: dict[str, Any], since: str
) -> None:
    from airflow_provider_emnify.airflow_names import TaskDeferred

    watch = EmnifyEventSensor(**options("deferrable"))
    with pytest.raises(TaskDeferred) as caught:
        watch.execute({**context(), **run_context})
    trigger: Any = caught.value.trigger
    assert trigger.wait["filters"] == {"since": since}


@in_each_mode
class TestNotOnlineFor:
    def test_a_device_that_was_online_lately_is_waited_for(self, fleet: Sandbox, mode: Mode) -> None:
        key = ids_of(fleet)[0]
        fleet.power(key, on=False)

        def change(look: int) -> None:
            if look == 2:
                # The clock of the sandbox stands for emnify's: let the events be older than a day.
                for event in fleet.state.events.values():
                    event.timestamp -= 25 * HOUR

        watch = EmnifyEndpointConnectivitySensor(**options(mode), endpoint_ids=key, not_online_for=24)
        assert run(watch, before_look=change) == {str(key): "OFFLINE, not online for 24 h"}
        assert fleet.counts[OF_ENDPOINT] == 2

    def test_a_device_that_is_online_is_not_asked_for_events(self, fleet: Sandbox, mode: Mode) -> None:
        first, second = ids_of(fleet)[:2]
        fleet.power(second, on=False)
        for event in fleet.state.events.values():
            event.timestamp -= 25 * HOUR
        watch = EmnifyEndpointConnectivitySensor(
            **options(mode), endpoint_ids=[first, second], not_online_for=timedelta(days=1), wait_for="any"
        )
        assert run(watch) == {str(first): "ONLINE", str(second): "OFFLINE, not online for 24 h"}
        assert fleet.counts[OF_ENDPOINT] == 1


@pytest.mark.parametrize("make", [EmnifyEventSensor, EmnifyEventTrigger], ids=["sensor", "trigger"])
@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            "Endpoint bloked",
            r"'Endpoint bloked' is not a known event type; did you mean 'Endpoint blocked' \(11\)\?",
        ),
        (["Create PDP context", "sim-activatoin"], r"did you mean 'SIM activation' \(8\)\?"),
        (4711, "'4711' is not a known event type; client.events.types"),
        ("Coffee break", "'Coffee break' is not a known event type; client.events.types"),
    ],
)
def test_an_event_type_that_is_not_known_is_warned_of(make: Any, given: Any, says: str) -> None:
    if make is EmnifyEventTrigger and not HAS_WATCHERS:
        pytest.skip("asset watchers need Airflow 3")
    with pytest.warns(UserWarning, match=says):
        make(event_type=given, **({"task_id": "t"} if make is EmnifyEventSensor else {}))


@pytest.mark.parametrize(
    "given", [11, "11", "ENDPOINT_BLOCKED", "update pdp context", [*EventType], "{{ params.x }}"]
)
def test_one_that_is_known_is_not(given: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EmnifyEventSensor(task_id="t", event_type=given)
