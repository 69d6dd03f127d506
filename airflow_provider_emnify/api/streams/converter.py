"""From a row of emnify to a row of a stream: each value into its column, and the rest into ``_extra``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_emnify.api.secrets.names import looks_secret, without_secrets
from airflow_provider_emnify.api.streams.columns import (
    CONVERT,
    EXTRA,
    Column,
    ColumnType,
    Convert,
    Row,
    check_json,
    storable,
)

Tree = dict[str, Any]


class Converter:
    """Makes flat rows with these columns, in this order, and ``_extra`` at the end.

    :param columns: The columns.
    :param ignored: Paths of fields that are left out: they say nothing that another column does not.
    :param strict: A value that its column cannot hold is an error, instead of being kept in ``_extra``.
    """

    def __init__(
        self, columns: Iterable[Column], ignored: Collection[str] = (), *, strict: bool = False
    ) -> None:
        self._strict = strict
        self.columns = (*columns, Column(EXTRA, ColumnType.JSON, ()))
        self.names = tuple(column.name for column in self.columns)
        self._empty: Row = dict.fromkeys(self.names)
        self._tree: Tree = {}
        for path in ignored:
            self._plant(path, None)
        for column in self.columns:
            for path in column.paths:
                self._plant(path, (column.name, column.convert or CONVERT[column.type]))
        for column in self.columns:
            if column.type is ColumnType.INTEGER:
                for path in column.paths:
                    self._plant_other_form(path, (column.name, column.convert or CONVERT[column.type]))

    def __call__(self, raw: Mapping[str, Any]) -> Row:
        """Return the flat row.

        :raises ValueError: when it is strict, for a value that its column cannot hold.
        """
        row = self._empty.copy()
        extra = _fill(self._tree, raw, row, self._strict)
        if extra:
            row[EXTRA] = extra
        return row

    def leaves(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield each field that has a column: its path and the column's name."""
        yield from _leaves(self._tree, ())

    def _plant(self, path: str, leaf: tuple[str, Convert] | None) -> None:
        *above, last = path.split(".")
        tree = self._tree
        for name in above:
            tree = tree.setdefault(name, {})
        tree[last] = leaf

    def _plant_other_form(self, path: str, leaf: tuple[str, Convert]) -> None:
        """Take an id flat too where it is nested, and the other way round: emnify does both."""
        if path.endswith(".id"):
            path = f"{path.removesuffix('.id')}_id"
        elif path.endswith("_id"):
            path = f"{path.removesuffix('_id')}.id"
        else:
            return
        *above, last = path.split(".")
        tree: Any = self._tree
        for name in above:
            tree = tree.setdefault(name, {}) if isinstance(tree, dict) else None
        if isinstance(tree, dict):
            tree.setdefault(last, leaf)


def _fill(tree: Tree, raw: Mapping[str, Any], row: Row, strict: bool) -> Row:
    """Put what the tree knows into the row, and return the rest."""
    rest: Row = {}
    for name, value in raw.items():
        if value is None or value == "":
            continue
        leaf = tree.get(name, _UNKNOWN)
        if leaf is None or (type(leaf) is tuple and _fill_column(leaf, value, row, strict)):
            continue
        if type(leaf) is dict and isinstance(value, Mapping):
            if below := _fill(leaf, value, row, strict):
                rest[name] = below
            continue
        if strict:
            check_json(value)
        if not looks_secret(name, value):
            rest[name] = without_secrets(storable(value))
    return rest


def _fill_column(leaf: tuple[str, Callable[[Any], Any]], value: Any, row: Row, strict: bool) -> bool:
    """Put a value into its column; tell whether that was all, or it belongs to the rest."""
    column, convert = leaf
    try:
        found = convert(value)
    except (ValueError, TypeError, OverflowError) as error:
        if strict:
            raise ValueError(f"{column}: {error}") from None
        return False
    if row[column] is None or row[column] == found:
        row[column] = found
        return True
    return not strict  # a second form of the same, of which the first one counts


_UNKNOWN = object()


def _leaves(tree: Tree, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, leaf in tree.items():
        if isinstance(leaf, dict):
            yield from _leaves(leaf, (*above, name))
        elif leaf is not None:
            yield (*above, name), leaf[0]
