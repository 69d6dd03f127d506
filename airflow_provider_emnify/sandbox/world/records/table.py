"""Tables of records by id, which tell their indexes what is written."""

from __future__ import annotations

import gc
from typing import Any, Protocol, TypeVar


class Record(Protocol):
    """What a table keeps."""

    id: int


T = TypeVar("T", bound=Record)
_LARGE = 10_000


class Table(dict[int, T]):
    """Records by id, in ascending order of it.

    A million records are made faster than they could be watched one by one, and most tables are never
    filtered. So records are plain until the first index is made; then each gets a subclass of its class,
    which differs in telling of every attribute that is set.

    :param whole: The table of what holds these records, and is found by what they are.
    :param whole_id: The attribute of a record that names what holds it.
    """

    def __init__(self, whole: Table[Any] | None = None, whole_id: str = "") -> None:
        super().__init__()
        self.indexes: dict[object, Any] = {}
        """What has been made of the records, to find them by; ``written`` of each gets what changes."""
        self._whole, self._whole_id = whole, whole_id
        self._parts: list[Table[Any]] = []
        if whole is not None:
            whole._parts.append(self)
        self._watches = False
        self._watched: type[T] | None = None

    def watch(self) -> None:
        """Tell the indexes of each record that is added, changed or deleted from now on."""
        for table in (self, *self._parts):
            if not table._watches:
                table._watches = True
                for record in table.values():
                    record.__class__ = table._watching(record)

    def forget(self) -> None:
        """Drop the indexes: something has changed that records are known by and do not hold."""
        self.indexes.clear()

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
        if self._watches:
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
        for index in self.indexes.values():
            index.written.add(record.id)
        if self._whole is not None:
            for index in self._whole.indexes.values():
                index.written.add(getattr(record, self._whole_id) or 0)

    def _watching(self, record: T) -> type[T]:
        if self._watched is None:
            plain, tell = type(record), self._tell

            def set_and_tell(record: T, name: str, value: Any) -> None:
                plain.__setattr__(record, name, value)
                tell(record)

            members = {"__slots__": (), "__setattr__": set_and_tell}
            self._watched = type(plain.__name__, (plain,), members)
        return self._watched
