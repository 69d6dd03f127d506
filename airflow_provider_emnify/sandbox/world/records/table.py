"""Tables of records by id, which tell what is written to their records once somebody listens."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any, Protocol, TypeVar


class Record(Protocol):
    """What a table keeps."""

    id: int


T = TypeVar("T", bound=Record)
_LARGE = 10_000


class Table(dict[int, T]):
    """Records by id, in ascending order of it.

    A million records are made faster than they could be watched one by one, and most tables are never
    filtered. So records are plain until the first listener comes; then each gets a subclass of its class,
    which differs in telling of every attribute that is set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.indexes: dict[object, Any] = {}
        """What has been made of the records, to find them by; :meth:`forget` takes it back."""
        self._listeners: list[Callable[[T], object]] = []
        self._watched: type[T] | None = None

    def listen(self, listener: Callable[[T], object]) -> None:
        """Let ``listener`` be called with each record that is added, changed or deleted from now on."""
        self._listeners.append(listener)
        if self._watched is None:
            for record in self.values():
                record.__class__ = self._watching(record)

    def forget(self) -> None:
        """Drop indexes and listeners: something has changed that records are known by and do not hold."""
        self.indexes.clear()
        self._listeners.clear()

    def settle(self) -> None:
        """Tell that what has been made of a large table stays, so that the collector need not search it."""
        if len(self) >= _LARGE:
            gc.freeze()

    def release(self) -> None:
        """Tell that a large table goes, so that the collector searches it again."""
        if len(self) >= _LARGE:
            gc.unfreeze()

    def __setitem__(self, number: int, record: T) -> None:
        super().__setitem__(number, record)
        if self._watched is not None:
            record.__class__ = self._watching(record)
            self._tell(record)

    def __delitem__(self, number: int) -> None:
        record = self[number]
        super().__delitem__(number)
        self._tell(record)

    def pop(self, number: int, *default: Any) -> Any:
        """Take a record out and return it."""
        if number not in self:
            return super().pop(number, *default)
        record = self[number]
        del self[number]
        return record

    def _tell(self, record: T) -> None:
        for listener in self._listeners:
            listener(record)

    def _watching(self, record: T) -> type[T]:
        if self._watched is None:
            plain, tell = type(record), self._tell

            def set_and_tell(record: T, name: str, value: Any) -> None:
                plain.__setattr__(record, name, value)
                tell(record)

            members = {"__slots__": (), "__setattr__": set_and_tell}
            self._watched = type(plain.__name__, (plain,), members)
        return self._watched
