"""EmnifyStatusTrigger: a device or SIM that enters a status starts a DAG, by way of an asset watcher."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers.base import EmnifyWatchingTrigger
from airflow_provider_emnify.triggers.shared.poller import poller_for

if TYPE_CHECKING:
    from enum import Enum

    from airflow_provider_emnify.arguments import Ids

STORED_AFTER = 3.0  # seconds in which Airflow has stored what was yielded, before the states are saved


class EmnifyStatusTrigger(EmnifyWatchingTrigger):
    """Fire whenever a device or SIM enters a status. For ``AssetWatcher``, on Airflow 3.

    The payload is ``{"sim_id": 7, "status": "Suspended", "before": "Activated"}``, or the same with
    ``endpoint_id``. The states are read by the poller that serves the sensors' waits, together with these.
    What is in the status at the first read does not fire. A status that is left again between two reads is
    not seen: for these there is :class:`~airflow_provider_emnify.triggers.event.EmnifyEventTrigger`.

    On Airflow 3.3 and later the last states are kept in the asset's state store, so that a device that enters
    the status while no triggerer runs fires afterwards, once. On Airflow 3.0 to 3.2 it does not fire.

    .. code-block:: python

        suspended = Asset(
            "emnify_sim_suspended",
            watchers=[
                AssetWatcher(
                    name="suspended", trigger=EmnifyStatusTrigger(sim_ids=[7, 8], target_status="suspended")
                )
            ],
        )

    :param endpoint_ids: Endpoints to watch: one id or many. Either these or ``sim_ids``.
    :param sim_ids: SIMs to watch: one id or many.
    :param target_status: The status (or several) to enter. Of endpoints: ``"enabled"``, ``"disabled"``; or a
        connectivity, ``"online"``, ``"attached"``, ``"offline"``, ``"blocked"``. Of SIMs: ``"activated"``,
        ``"suspended"``, ``"deleted"``, ``"factory_test"``, ``"issued"``.
    :param poll_interval: Seconds (or a timedelta) between two reads. Default 60.
    :param emnify_conn_id: The connection to emnify.
    :raises ValueError: when the DAG is parsed, for ids or a status that make no sense.
    :raises RuntimeError: on Airflow 2.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-by-id-get
    """

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = None,
        sim_ids: Ids | None = None,
        target_status: Enum | int | str | Sequence[Enum | int | str],
        poll_interval: float | timedelta = 60.0,
        emnify_conn_id: str = "emnify_default",
    ) -> None:
        super().__init__(emnify_conn_id=emnify_conn_id, poll_interval=poll_interval)
        if (endpoint_ids is None) == (sim_ids is None):
            raise ValueError("endpoint_ids, sim_ids: give one of them")
        self._field = "sim" if endpoint_ids is None else "endpoint"
        ids = sim_ids if endpoint_ids is None else endpoint_ids
        self._wait = _wait(self._field, ids, target_status)
        if not self._wait.ids:
            raise ValueError(f"{self._field}_ids: {ids!r} names none to watch; give at least one")

    def arguments(self) -> Mapping[str, Any]:
        """Return the trigger's own arguments as plain values."""
        return {
            f"{self._field}_ids": list(self._wait.ids),
            "target_status": [state.name for state in self._wait.target],
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each that enters the status."""
        saved = await self.load()
        known: dict[str, str] = saved if isinstance(saved, dict) else {}
        # By its value, a state is known in each of its forms: what is gone is deleted.
        goal: dict[Any, str] = {state.value: state.label for state in self._wait.target}
        poller = poller_for(self.emnify_conn_id, self._wait)
        async for found in poller.watch(self._wait, self.poll_interval):
            now = {key: goal.get(reading.value, reading.label) for key, reading in found.items()}
            before, known = known, {**known, **{str(key): status for key, status in now.items()}}
            if known == before:
                continue
            for key, status in now.items():
                was = before.get(str(key), status)
                if status in goal.values() and was not in goal.values():
                    yield TriggerEvent(  # type: ignore[no-untyped-call]
                        {f"{self._field}_id": key, "status": status, "before": was}
                    )
            await asyncio.sleep(STORED_AFTER)
            await self.save(known)


def _wait(field: str, ids: Any, target: Any) -> Wait:
    """Return what is looked at: the status, or the connectivity where that is meant.

    :raises ValueError: for ids or a status that make no sense.
    """
    named = (f"{field}_ids", "target_status")
    if field == "sim":
        return Wait("sim_status", ids, target, (), named=named)
    try:
        return Wait("endpoint_connectivity", ids, target, (), named=named)
    except ValueError:
        return Wait("endpoint_status", ids, target, (), named=named)
