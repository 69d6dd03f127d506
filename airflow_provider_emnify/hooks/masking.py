"""Airflow's own maskers for secrets: the one of this process, and the one of its supervisor.

On Airflow 3 the logs of tasks and triggers are written, and masked, by a supervisor, another process. It is
reached over one channel, which on Airflow 3.0 and 3.1 is for one thread alone: a second one that uses
it ends a task, or the whole triggerer with the triggers of all DAGs. So a triggerer uses it from its
event loop only (:func:`mask_from`), and a task from the main thread wherever the channel has no lock.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.airflow_names import BaseHook

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import Connection

_PLACES = (
    "airflow.sdk._shared.secrets_masker",  # 3.1 and later
    "airflow.sdk.execution_time.secrets_masker",  # 3.0
    "airflow.utils.log.secrets_masker",  # 2.11
)


def _find() -> Any:
    for place in _PLACES:
        try:
            return import_module(place)._secrets_masker
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"no secrets masker in any of {', '.join(_PLACES)}")


_masker = _find()
_lock = threading.Lock()
# Secrets of threads that must not use the channel: the main thread sends them with its next one.
_unreported: list[str] = []
_telling: set[asyncio.Task[None]] = set()  # the event loop itself keeps no task


def mask(secret: str) -> None:
    """Have Airflow replace a secret by ``***`` in every log from now on.

    In a triggerer this masks inside the process alone: there, use :func:`mask_from`.
    """
    if not secret:
        return
    _mask_here(secret)
    channel = _channel()
    if channel is None or hasattr(channel, "_async_writer"):  # a triggerer's
        return
    may_speak = threading.current_thread() is threading.main_thread() or hasattr(channel, "_thread_lock")
    with _lock:
        _unreported.append(secret)
        if not may_speak:
            return
        secrets = list(_unreported)
        _unreported.clear()
    for one in secrets:
        with suppress(Exception):  # as Airflow's own mask_secret: logging goes on
            channel.send(message_of(one))


def masked_connection(conn_id: str) -> Connection:
    """Fetch an Airflow connection that holds a secret; from now on, no log shows it.

    :param conn_id: The connection.
    """
    conn: Connection = BaseHook.get_connection(conn_id)
    for secret in texts_in([conn.password, conn.extra_dejson]):
        mask(secret)
    return conn


def texts_in(value: Any) -> Iterator[str]:
    """Yield the texts in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts_in([*value.values()])
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)


def mask_from(loop: asyncio.AbstractEventLoop) -> Callable[[str], None]:
    """Return a :func:`mask` for the threads that work for a triggerer's event loop."""

    def mask_in_triggerer(secret: str) -> None:
        if not secret:
            return
        _mask_here(secret)
        channel = _channel()
        if channel is not None:
            with suppress(RuntimeError):  # the loop has ended, and its logs with it
                loop.call_soon_threadsafe(_send_soon, channel, secret)

    return mask_in_triggerer


def _mask_here(secret: str) -> None:
    with _lock:  # the masker makes one pattern of all that it knows
        _masker().add_mask(secret, None)


def _channel() -> Any:
    """Return the channel to the supervisor of this process, if it has one."""
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return getattr(runner, "SUPERVISOR_COMMS", None)


def message_of(secret: str) -> Any:
    """Return the message that has a supervisor mask a secret."""
    from airflow.sdk.execution_time.comms import MaskSecret

    return MaskSecret(value=secret)


def _send_soon(channel: Any, secret: str) -> None:
    task = asyncio.get_running_loop().create_task(_send(channel, secret))
    _telling.add(task)
    task.add_done_callback(_telling.discard)


async def _send(channel: Any, secret: str) -> None:
    with suppress(Exception):  # as Airflow's own mask_secret: logging goes on
        await channel.asend(message_of(secret))
