from __future__ import annotations

import asyncio
import json
import logging
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.sdk.definitions.asset", reason="asset watchers need Airflow 3")

from airflow_provider_emnify.api.enums import EventSeverity, EventType
from airflow_provider_emnify.api.streams.catalogue import STREAMS
from airflow_provider_emnify.api.waits.event_filter import LATE_BY, valid_events
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers.event import Cursor, EmnifyEventTrigger
from airflow_provider_emnify.triggers.shared import members as members_module
from airflow_provider_emnify.triggers.shared.poller import poller_for
from airflow_provider_emnify.triggers.shared.registry import everything
from tests.fleets import ids_of
from tests.triggers.waiting import connect, revoke, run, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_emnify.sandbox import Sandbox

LIST = "GET /api/v1/event"
HAS_SHARED_STREAMS = pytest.mark.skipif(
    find_spec("airflow.triggers.shared_stream") is None, reason="from Airflow 3.3 on"
)


class Store:
    """What Airflow 3.3 gives a trigger to remember things in."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def aget(self, key: str) -> Any:
        return json.loads(self.values[key]) if key in self.values else None

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)


pytestmark = pytest.mark.fleet(3, retries=False)


def happen(sandbox: Sandbox, *, ago: float = 0.0, of: int = 0, **more: Any) -> int:
    """Let something happen, or come to be known that happened earlier; return the event's id."""
    endpoint = sandbox.state.endpoints[ids_of(sandbox)[of]]
    kind = more.pop("kind", EventType.ENDPOINT_BLOCKED)
    event = sandbox.state.emit(kind, "Blocked.", time.time() - ago, endpoint=endpoint, **more)
    return int(event.id)


def trigger(store: Store | None = None, **arguments: Any) -> EmnifyEventTrigger:
    made = EmnifyEventTrigger(**{"event_type": 11, "poll_interval": 0.02, **arguments})
    made.asset_state_store = store  # type: ignore[assignment]
    return made


class Watcher:
    """Collects what a trigger yields."""

    def __init__(self, watching: EmnifyEventTrigger, events: AsyncIterator[Any] | None = None) -> None:
        self.payloads: list[Any] = []
        self._events = watching.run() if events is None else events
        self.task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        async for event in self._events:
            self.payloads.append(event.payload)

    @property
    def ids(self) -> list[int]:
        return [row["id"] for row in self.payloads]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await asyncio.sleep(0)


async def reads(sandbox: Sandbox, more: int = 2) -> None:
    now = sandbox.counts[LIST]
    await until(lambda: sandbox.counts[LIST] >= now + more)


def test_each_event_fires_once_with_the_event_as_its_payload(fleet: Sandbox) -> None:
    happen(fleet, ago=60)  # before it began

    async def test() -> Watcher:
        watcher = Watcher(trigger())
        await reads(fleet)
        first, other = happen(fleet), happen(fleet, kind=EventType.SIM_ASSIGNED)
        second = happen(fleet, of=1)
        await until(lambda: len(watcher.ids) == 2)
        await reads(fleet)
        assert watcher.ids == [first, second]
        assert other not in watcher.ids
        await watcher.stop()
        return watcher

    watcher = run(test)
    assert watcher.payloads[1]["endpoint"]["id"] == ids_of(fleet)[1]
    assert watcher.payloads[0]["event_type"] == {"id": 11, "description": "Endpoint blocked"}
    assert fleet.authentications == 1


def test_an_event_that_arrives_late_or_shares_its_timestamp_is_not_missed(fleet: Sandbox) -> None:
    async def test() -> None:
        store = Store()
        watcher = Watcher(trigger(store, late_by=100))
        await reads(fleet)
        await watcher.stop()
        for key, value in store.values.items():
            store.values[key] = json.dumps({**json.loads(value), "since": time.time() - 100})
        watcher = Watcher(trigger(store, late_by=100))
        await reads(fleet)
        moment = time.time()
        ids = []
        for of in range(2):
            endpoint = fleet.state.endpoints[ids_of(fleet)[of]]
            ids.append(fleet.state.emit(EventType.ENDPOINT_BLOCKED, "x", moment, endpoint=endpoint).id)
            await until(lambda: watcher.ids == ids)
        late = happen(fleet, ago=90)
        await until(lambda: watcher.ids == [*ids, late])
        happen(fleet, ago=200)  # later than was promised
        await reads(fleet)
        assert watcher.ids == [*ids, late]
        await watcher.stop()

    run(test)


def test_all_watchers_of_a_connection_share_one_read(fleet: Sandbox) -> None:
    async def test() -> list[Watcher]:
        watchers = [
            Watcher(trigger(**filters))
            for filters in (
                {},
                {"severity": "warn"},
                {"endpoint_ids": ids_of(fleet)[1]},
                {"event_type": "SIM assigned"},
                {"event_type": None, "source": "api", "poll_interval": 60},
            )
        ]
        await reads(fleet)
        happen(fleet, severity=EventSeverity.WARN)
        happen(fleet, of=1, kind=EventType.SIM_ASSIGNED)
        await until(lambda: len(watchers[4].ids) == 2)
        for watcher in watchers:
            await watcher.stop()
        return watchers

    watchers = run(test)
    assert [len(watcher.ids) for watcher in watchers] == [1, 1, 0, 1, 2]
    assert fleet.authentications == 1
    assert fleet.peaks[LIST] == 1


def test_an_event_sensor_and_a_watcher_share_one_read(fleet: Sandbox) -> None:
    first = ids_of(fleet)[0]

    async def test() -> None:
        watcher = Watcher(trigger())
        wait = Wait("event", first, "event_seen", (), filters={"since": "2020-01-01", "event_type": 11})
        waiting = asyncio.create_task(poller_for("emnify_default", wait).join(wait, 0.02, time.time() + 15))
        await reads(fleet, 8)
        assert not waiting.done()
        before = {name: number for name, number in fleet.counts.items() if "event" in name}
        await reads(fleet, 5)
        after = {name: number for name, number in fleet.counts.items() if "event" in name}
        assert [name for name in after if after[name] != before.get(name)] == [LIST]
        event = happen(fleet)
        assert (await waiting).status == "success"
        await until(lambda: watcher.ids == [event])
        await watcher.stop()

    run(test)
    assert fleet.peaks[LIST] == 1


def test_events_with_odd_fields_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    row = {"id": 7, "timestamp": "2026-01-01T00:00:00Z", "endpoint": {"id": 1, "tags": "a"}}
    odd: list[Any] = [
        None,
        "event",
        {**row, "id": None},
        {**row, "timestamp": 5},
        {**row, "endpoint": {"id": 1, "tags": 5}},
        {**row, "event_type": [11]},
    ]
    with caplog.at_level(logging.WARNING):
        assert list(valid_events([row, *odd])) == [row]
    assert [record.getMessage()[:26] for record in caplog.records] == ["6 events were left out: no"]


def test_a_restart_neither_repeats_nor_misses_an_event(fleet: Sandbox) -> None:
    async def test() -> None:
        store = Store()
        watcher = Watcher(trigger(store))
        await reads(fleet)
        before = happen(fleet)
        await until(lambda: watcher.ids == [before])
        await reads(fleet)
        await watcher.stop()
        meanwhile = happen(fleet)
        again = Watcher(trigger(store))
        await until(lambda: bool(again.ids))
        await reads(fleet)
        assert again.ids == [meanwhile]
        await again.stop()

    run(test)


def test_a_late_watcher_gets_what_it_needs_and_the_others_no_event_twice(fleet: Sandbox) -> None:
    async def test() -> None:
        store = Store()
        late = trigger(store)
        await store.aset(await key_of(), Cursor(time.time() - 50).to_plain())
        old = happen(fleet, ago=40)
        first = Watcher(trigger(severity="info"))
        await reads(fleet)
        second = Watcher(late)
        await until(lambda: second.ids == [old])
        new = happen(fleet)
        await until(lambda: second.ids == [old, new])
        await until(lambda: first.ids == [new])
        await first.stop()
        await second.stop()

    run(test)


async def key_of(**arguments: Any) -> str:
    """Return the key under which a watcher remembers what it has seen."""
    store = Store()
    watcher = Watcher(trigger(store, **arguments))
    await until(lambda: bool(store.values))
    await watcher.stop()
    (key,) = store.values
    return key


def test_two_watchers_of_an_asset_remember_apart(fleet: Sandbox) -> None:
    async def test() -> None:
        assert await key_of() == await key_of()
        assert await key_of() != await key_of(severity="warn")

    run(test)


def test_a_passing_error_and_a_rejected_token_are_outlasted(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        watcher = Watcher(trigger())
        await reads(fleet)
        fleet.faults.add(path="/api/v1/event", status=503, times=3)
        first = happen(fleet)
        await until(lambda: watcher.ids == [first])
        new = fleet.accounts.add_application_token("new")
        revoke(fleet)
        await until(lambda: fleet.authentications >= 2)
        await asyncio.sleep(0.2)
        assert fleet.authentications == 2  # a rejected token is tried once, however often it looks
        second = happen(fleet)
        connect(fleet, monkeypatch, password=new.token)
        await until(lambda: watcher.ids == [first, second])
        await watcher.stop()

    with caplog.at_level(logging.ERROR, members_module.__name__):
        run(test)
    assert len([record for record in caplog.records if record.name == members_module.__name__]) == 1


def test_it_leaves_nothing_behind(fleet: Sandbox) -> None:
    async def test() -> None:
        before = set(asyncio.all_tasks())
        watcher = Watcher(trigger())
        await reads(fleet)
        await watcher.stop()
        await asyncio.sleep(0)
        assert set(asyncio.all_tasks()) == before
        assert not everything()

    run(test)


@HAS_SHARED_STREAMS
class TestOnAirflow33:
    """The way that the triggerer goes there: one shared stream, and word of what was stored."""

    def test_what_is_remembered_is_what_airflow_has_stored(self, fleet: Sandbox) -> None:
        from airflow.triggers.shared_stream import SharedStreamManager

        async def test() -> None:
            store, manager = Store(), SharedStreamManager()
            watching = trigger(store)
            key = watching.shared_stream_key()
            assert key == trigger(severity="warn", poll_interval=9).shared_stream_key()
            assert key is not None
            confirmed: list[int] = []

            async def events() -> AsyncIterator[Any]:
                stream = manager.subscribe(trigger_id=1, trigger=watching, key=key)
                async for event in watching.filter_shared_stream(stream):
                    seq = manager.bind_pending_event(trigger_id=1, key=key)
                    assert seq is not None
                    confirmed.append(seq)
                    yield event

            watcher = Watcher(watching, events())
            await reads(fleet)
            event = happen(fleet)
            await until(lambda: watcher.ids == [event])
            await reads(fleet)
            assert str(event) not in str(store.values)  # not stored by Airflow yet
            manager.confirm_persisted(confirmed)
            await until(lambda: str(event) in str(store.values))
            await watcher.stop()
            await manager.unsubscribe(1, key)

        run(test)

    def test_several_watchers_are_one_stream_and_one_read(self, fleet: Sandbox) -> None:
        from airflow.triggers.shared_stream import SharedStreamManager

        async def test() -> None:
            manager = SharedStreamManager()
            watchers = []
            for number, severity in enumerate(("warn", "info")):
                watching = trigger(severity=severity)
                key = watching.shared_stream_key()
                assert key is not None
                stream = manager.subscribe(trigger_id=number, trigger=watching, key=key)
                watchers.append(Watcher(watching, watching.filter_shared_stream(stream)))
            await reads(fleet)
            warn = happen(fleet, severity=EventSeverity.WARN)
            info = happen(fleet)
            await until(lambda: [watcher.ids for watcher in watchers] == [[warn], [info]])
            for number, watcher in enumerate(watchers):
                await watcher.stop()
                await manager.unsubscribe(number, key)

        run(test)
        assert fleet.peaks[LIST] == 1


def test_it_is_made_again_of_plain_values() -> None:
    made = EmnifyEventTrigger(
        event_type=["SIM assigned", "11"], severity="warn", source=2, endpoint_ids="7,8", tags="a", late_by=9
    )
    path, kwargs = made.serialize()
    assert path == "airflow_provider_emnify.triggers.event.EmnifyEventTrigger"
    assert (
        json.loads(json.dumps(kwargs))
        == kwargs
        == {
            "emnify_conn_id": "emnify_default",
            "poll_interval": 60.0,
            "event_type": ["SIM assigned", 11],
            "severity": [1],
            "source": [2],
            "endpoint_ids": [7, 8],
            "tags": ["a"],
            "late_by": 9.0,
        }
    )
    assert EmnifyEventTrigger(**kwargs).serialize() == (path, kwargs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"severity": "awful"}, "severity: 'awful'"),
        ({"event_type": -1}, "event_type: -1"),
        ({"endpoint_ids": "all"}, "endpoint_ids: 'all'"),
        ({"poll_interval": "often"}, "poll_interval: 'often'"),
        ({"late_by": -1}, "late_by: -1"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmnifyEventTrigger(**arguments)


def test_stream_and_trigger_read_back_by_one_generous_number() -> None:
    assert trigger_defaults() == STREAMS["events"].late_by.total_seconds() == LATE_BY.total_seconds() >= 3600


def trigger_defaults() -> float:
    return EmnifyEventTrigger().late_by
