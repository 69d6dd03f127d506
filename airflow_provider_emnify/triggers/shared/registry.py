"""The one registry of what triggers share: on each event loop, each connection and each poller once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[Any, ...], Any]] = WeakKeyDictionary()


def shared(make: Callable[..., T], *key: str) -> T:
    """Return the ``make(*key)`` of the running event loop; the first call makes it."""
    registry = _shared.setdefault(asyncio.get_running_loop(), {})
    if (make, *key) not in registry:
        registry[make, *key] = make(*key)
    found: T = registry[make, *key]
    return found


def forget(one: object) -> None:
    """Take a thing out that is shut down: who asks next gets a new one."""
    registry = _shared.get(asyncio.get_running_loop(), {})
    for key in [key for key, each in registry.items() if each is one]:
        del registry[key]


def everything() -> list[object]:
    """Return all that is shared on the running event loop, for who checks that nothing is left behind."""
    return list(_shared.get(asyncio.get_running_loop(), {}).values())
