"""What the triggers of asset watchers have in common: Airflow 3, and a state that outlives a restart.

Airflow 3.3 and later keep a trigger's state in its asset's state store. Before that it is in the process
alone: what happens while no triggerer runs is not reported afterwards.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.arguments import parse_seconds

try:
    from airflow.triggers.base import BaseEventTrigger

    HAS_WATCHERS = True
except ImportError:  # Airflow 2
    BaseEventTrigger = BaseTrigger  # type: ignore[assignment,misc]
    HAS_WATCHERS = False


log = one_line_log(__name__)

_RETRY_DELAY = 5.0  # seconds between two tries to read the store


class EmnifyWatchingTrigger(BaseEventTrigger):
    """Base of the triggers for ``AssetWatcher``.

    :param emnify_conn_id: The connection to emnify.
    :param poll_interval: Seconds (or a timedelta) between two reads. Default 60.
    :raises RuntimeError: on Airflow 2, which has no asset watchers.
    """

    def __init__(self, *, emnify_conn_id: str, poll_interval: Any) -> None:
        if not HAS_WATCHERS:
            raise RuntimeError(
                f"{type(self).__name__} is for AssetWatcher, which needs Airflow 3. On Airflow 2, use "
                "EmnifyEventSensor or EmnifyEndpointStatusSensor"
            )
        super().__init__()  # type: ignore[no-untyped-call]
        self.emnify_conn_id = emnify_conn_id
        self.poll_interval = parse_seconds(poll_interval, "poll_interval")
        self._memory_only = False

    def arguments(self) -> Mapping[str, Any]:
        """Return the trigger's own arguments as plain values."""
        raise NotImplementedError

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer makes the trigger of: plain values, none of them secret."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "emnify_conn_id": self.emnify_conn_id,
                "poll_interval": self.poll_interval,
                **self.arguments(),
            },
        )

    @property
    def _key(self) -> str:
        """Under which key the state is kept: several watchers may watch for one asset."""
        what = json.dumps([self.emnify_conn_id, self.arguments()], sort_keys=True)
        return f"{type(self).__name__}-{hashlib.sha256(what.encode()).hexdigest()[:12]}"

    async def load(self) -> Any:
        """Return what was saved last; None when there is nothing. Waits for a store that fails."""
        while (store := self._store) is not None:
            try:
                return await store.aget(self._key)
            except ValueError:
                self._memory_only = True
                log.warning(
                    "%r is the watcher of several assets, and Airflow keeps a state for one only: what "
                    "happens while no triggerer runs is not reported. Give each asset a watcher with a "
                    "poll_interval of its own",
                    self,
                )
            except Exception:
                log.exception("The state of %r could not be read; trying again", self)
                await asyncio.sleep(_RETRY_DELAY)
        return None

    async def save(self, value: Any) -> None:
        """Save a plain value. When that fails, a restart may report something twice, but misses nothing."""
        store = self._store
        if store is None:
            return
        try:
            await store.aset(self._key, value)
        except Exception:
            log.exception("The state of %r could not be saved", self)

    @property
    def _store(self) -> Any:
        """Where Airflow keeps its state: from 3.3 on, when it is the watcher of one asset; else None."""
        return None if self._memory_only else getattr(self, "asset_state_store", None)
