"""From a row of emnify to a row of a stream: each value into its column, and the rest into ``_extra``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import NoneType
from typing import Any

from airflow_provider_emnify.api.secrets.names import looks_secret, without_secrets
from airflow_provider_emnify.api.streams.columns import (
    CONVERT,
    EXTRA,
    Batch,
    Column,
    ColumnType,
    Convert,
    check_json,
    storable,
    to_boolean,
    to_integer,
    to_text,
)
from airflow_provider_emnify.api.types import Row

Path = tuple[str, ...]
Tree = dict[str, Any]
"""emnify's fields: below a name there is more, or the column and its conversion, or None: left out."""

_AS_THEY_ARE: dict[Convert, type] = {to_integer: int, to_text: str, to_boolean: bool}
_NOTHING: Mapping[str, Any] = {}


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
        leaves = [(c, (c.name, c.convert or CONVERT[c.type])) for c in self.columns]
        for column, leaf in leaves:
            for path in column.paths:
                self._plant(path, leaf)
        for column, leaf in leaves:  # emnify sends an id flat where it is nested, and the other way round
            for path in column.paths if column.type is ColumnType.INTEGER else ():
                if path.endswith((".id", "_id")):
                    self._plant(f"{path[:-3]}{'_' if path[-3] == '.' else '.'}id", leaf, unless_there=True)

    def __call__(self, raw: Mapping[str, Any]) -> Row:
        """Return the flat row.

        :raises ValueError: when it is strict, for a value that its column cannot hold.
        """
        row = self._empty.copy()
        extra = _fill(self._tree, raw, row, self._strict)
        if extra:
            row[EXTRA] = extra
        return row

    def batch(self, raws: Sequence[Mapping[str, Any]]) -> Batch:
        """Return the flat rows of many as columns, each with the values that calling it for one gives.

        It is faster: most columns hold values of one type, which are taken together. The rows that have
        something odd, which belongs into ``_extra`` or to two forms of one column, are done one by one.
        """
        columns: dict[str, list[Any]] = {}
        odd: set[int] = set()
        _fill_columns(self._tree, raws, columns, odd)
        batch = [columns.get(name) or [None] * len(raws) for name in self.names]
        for place in odd:
            for values, value in zip(batch, self(raws[place]).values(), strict=True):
                values[place] = value
        return batch

    def leaves(self, tree: Tree | None = None, above: Path = ()) -> Iterator[tuple[Path, str]]:
        """Yield each field that has a column: its path and the column's name."""
        for name, leaf in (self._tree if tree is None else tree).items():
            if isinstance(leaf, dict):
                yield from self.leaves(leaf, (*above, name))
            elif leaf is not None:
                yield (*above, name), leaf[0]

    def _plant(self, path: str, leaf: tuple[str, Convert] | None, *, unless_there: bool = False) -> None:
        *above, last = path.split(".")
        tree: Any = self._tree
        for name in above:
            tree = tree.setdefault(name, {})
            if not isinstance(tree, dict):
                return
        if not unless_there or last not in tree:
            tree[last] = leaf


def _fill(tree: Tree, raw: Mapping[str, Any], row: Row, strict: bool) -> Row:
    """Put each field that has a column into the row, and return the rest."""
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


def _fill_columns(
    tree: Tree, parts: Sequence[Mapping[str, Any]], columns: dict[str, list[Any]], odd: set[int]
) -> None:
    """Fill the columns, and note the places of the rows that hold more than these.

    :param parts: Of each row the object that the tree is about; an empty one where there is none.
    """
    names: set[str] = set().union(*parts)
    for name in names:
        leaf = tree.get(name, _UNKNOWN)
        if leaf is None:
            continue
        values = [part.get(name) for part in parts]
        if type(leaf) is tuple:
            column, convert = leaf
            found = _converted(convert, values, odd)
            if (there := columns.setdefault(column, found)) is not found:
                _join(there, found, odd)
        elif type(leaf) is dict:
            if not set(map(type, values)) <= {dict, NoneType}:
                odd.update(
                    place for place, value in enumerate(values) if not isinstance(value, (dict, NoneType))
                )
                values = [value if isinstance(value, dict) else None for value in values]
            _fill_columns(leaf, [value or _NOTHING for value in values], columns, odd)
        else:
            odd.update(place for place, value in enumerate(values) if value is not None and value != "")


def _converted(convert: Convert, values: list[Any], odd: set[int]) -> list[Any]:
    """Return the values of a column, None for those that it cannot hold, whose places are noted."""
    kind = _AS_THEY_ARE.get(convert)
    if (
        kind is not None
        and set(map(type, values)) <= {kind, NoneType}
        and (kind is not str or "" not in values)
        and (kind is not int or max(map(abs, filter(None, values)), default=0) < 2**63)
    ):
        return values
    found: list[Any] = [None] * len(values)
    for place, value in enumerate(values):
        if value is not None and value != "":
            try:
                found[place] = convert(value)
            except (ValueError, TypeError, OverflowError):
                odd.add(place)
    return found


def _join(there: list[Any], more: list[Any], odd: set[int]) -> None:
    """Add another form of the same column; which one counts where both are there depends on the row."""
    for place, value in enumerate(more):
        if value is not None:
            if there[place] is None:
                there[place] = value
            elif there[place] != value or not isinstance(value, (int, str)):
                odd.add(place)
