"""Partitions: which directory a row's file lies in, ``timestamp_day=2024-05-01/status=Enabled``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from airflow_provider_emnify.api.streams.columns import Batch, Column, ColumnType

_NULL = "__HIVE_DEFAULT_PARTITION__"
_UNITS: dict[str, str] = {"year": "%Y", "month": "%Y-%m", "day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
_TIMES = frozenset({ColumnType.TIMESTAMP, ColumnType.DATE})


@dataclass(frozen=True)
class Part:
    """One level of directories.

    :param name: Its name before the ``=``.
    :param place: Where its value stands in a row.
    :param label: From the value to what stands after the ``=``.
    :param whole: It says all that the column does, which is not in the files then.
    """

    name: str
    place: int
    label: Callable[[Any], str]
    whole: bool

    def of(self, value: Any) -> str:
        """Return the directory of a row with this value."""
        text = _NULL if value is None else quote(self.label(value), safe="", errors="replace")
        return f"{self.name}={text}"


class Partitions:
    """The levels of directories.

    :param spec: Names of columns; one of times with its unit, ``timestamp:day``. Their order counts.
    :param columns: The columns of the rows.
    :raises ValueError: for a column that there is not, or cannot be partitioned by.
    """

    def __init__(self, spec: str | Sequence[str] | None, columns: Sequence[Column]) -> None:
        names = [spec] if isinstance(spec, str) else spec or ()
        if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"partition_by: {spec!r} is not valid; give a column, or a list of these")
        self.parts = tuple(_part(name, columns) for name in names if name)
        dropped = {part.place for part in self.parts if part.whole}
        self.kept = [place for place in range(len(columns)) if place not in dropped]
        self.columns = [columns[place] for place in self.kept]
        if not self.columns:
            raise ValueError("partition_by: no column is left for the files")

    def split(self, batch: Batch) -> Iterator[tuple[str, Batch]]:
        """Yield each directory with its rows: what of them stands in its files."""
        if not self.parts:
            yield "", batch
            return
        levels = [map(part.of, batch[part.place]) for part in self.parts]
        directories: dict[str, list[tuple[Any, ...]]] = {}
        rows = zip(*(batch[place] for place in self.kept), strict=True)
        for directory, row in zip(map("/".join, zip(*levels, strict=True)), rows, strict=True):
            directories.setdefault(directory, []).append(row)
        for directory, some in directories.items():
            yield directory, list(zip(*some, strict=True))


def _part(spec: str, columns: Sequence[Column]) -> Part:
    name, _, unit = spec.partition(":")
    place = next((place for place, column in enumerate(columns) if column.name == name), None)
    if place is None:
        allowed = ", ".join(column.name for column in columns)
        raise ValueError(f"partition_by: there is no column {name!r}; allowed: {allowed}")
    kind = columns[place].type
    if unit:
        if kind not in _TIMES or unit not in _UNITS or (kind is ColumnType.DATE and unit == "hour"):
            raise ValueError(f"partition_by: {spec!r} is not valid; units of times: {', '.join(_UNITS)}")
        form = _UNITS[unit]
        return Part(f"{name}_{unit}", place, lambda value: format(value, form), whole=False)
    if kind is ColumnType.TIMESTAMP:
        raise ValueError(f"partition_by: {name!r} needs a unit, for example '{name}:day'")
    if kind in {ColumnType.JSON, ColumnType.DECIMAL}:
        raise ValueError(f"partition_by: {name!r} is {kind}, which makes no directories")
    label = (lambda yes: "true" if yes else "false") if kind is ColumnType.BOOLEAN else str
    return Part(name, place, label, whole=True)
