"""The columns of streams: from emnify's nested JSON to one flat, typed row.

Values come in every form that has been recorded of emnify: dates with and without a zone, numbers as
strings, ids as floats, ``alert`` as 1. What a column cannot hold, and every field that no column is made for,
is kept in the column ``_extra``: nothing is lost when emnify adds a field, or changes one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from airflow_provider_emnify.api.enums import EventSeverity
from airflow_provider_emnify.api.secrets.names import looks_secret, without_secrets

Row = dict[str, Any]
Convert = Callable[[Any], Any]

EXTRA = "_extra"
"""The column with what no other column holds, as an object; None when there is nothing."""

# Never in a warehouse, in whatever field a later API shows them.


DIGITS = 28
"""Digits that an amount may have before the point."""
DECIMALS = 10
"""Digits after the point, the most that emnify has: those of a cost."""


_FINEST = 100  # digits after the point that a number may be written with
DEEPEST = 30
"""How deep JSON may be nested: databases take no more (MariaDB 32, MySQL 100)."""
_LARGEST = 10**300  # a larger number is none for MySQL


class ColumnType(StrEnum):
    """What a column holds."""

    INTEGER = "integer"  # 64 bit
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    TEXT = "text"
    TIMESTAMP = "timestamp"  # aware, in UTC
    DATE = "date"
    JSON = "json"  # an object or a list


@dataclass(frozen=True)
class Column:
    """One column.

    :param name: Its name.
    :param type: What it holds.
    :param paths: Where its value stands in emnify's row, ``sim.iccid``; the first that is there counts.
    :param convert: Another conversion than its type's.
    """

    name: str
    type: ColumnType
    paths: tuple[str, ...]
    convert: Convert | None = None


def to_integer(value: Any) -> int:
    """Return a whole number, also from a float or a string.

    :raises ValueError: for anything else.
    """
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is no number")  # noqa: TRY004 - one error for all that does not fit
    number = int(value)
    if isinstance(value, float) and number != value:
        raise ValueError(f"{value!r} is no whole number")
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{value!r} does not fit into 64 bits")
    return number


def to_decimal(value: Any) -> Decimal:
    """Return an exact number, also from a string.

    :raises ValueError: for anything else, and for what is not finite.
    """
    if isinstance(value, (bool, dict, list)):
        raise ValueError(f"{shorten(value)} is no number")  # noqa: TRY004 - one error for all that does not fit
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"{value!r} is no number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not finite")
    if number and not (number.as_tuple().exponent >= -_FINEST and number.adjusted() < DIGITS):  # type: ignore[operator]
        raise ValueError(f"{shorten(value)} is too large or too fine")
    return number


_YES_OR_NO = {"1": True, "true": True, "0": False, "false": False}


def to_boolean(value: Any) -> bool:
    """Return a yes or no, also from 1 and 0.

    :raises ValueError: for anything else.
    """
    if isinstance(value, bool):
        return value
    try:
        if isinstance(value, (dict, list)):
            raise KeyError
        return _YES_OR_NO[str(value).strip().lower()]
    except KeyError:
        raise ValueError(f"{shorten(value)} is neither true nor false") from None


def to_text(value: Any) -> str:
    """Return a text; a number becomes one.

    :raises ValueError: for an object or a list.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        raise ValueError(f"{shorten(value)} is no text")  # noqa: TRY004 - one error for all that does not fit
    return str(value)


def to_timestamp(value: Any) -> datetime:
    """Return a point in time in UTC, from any form that emnify has been seen to send.

    These are ``2021-11-18T08:25:53.000+0000``, ``2021-10-06T10:42:58.298Z``, ``2021-10-06 10:42:58`` and
    ``2021-10-06``. Without a zone, UTC is meant.

    :raises ValueError: for anything else.
    """
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str):
        moment = datetime.fromisoformat(value.strip())
    else:
        raise ValueError(f"{shorten(value)} is no date")  # noqa: TRY004 - one error for all that does not fit
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def to_date(value: Any) -> date:
    """Return a date; of a point in time, its date in UTC.

    :raises ValueError: for anything else.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return to_timestamp(value).date()


def to_json(value: Any) -> Any:
    """Return an object or a list as it came.

    :raises ValueError: for anything else.
    """
    if not isinstance(value, (dict, list)):
        raise ValueError(f"{value!r} is neither an object nor a list")  # noqa: TRY004 - as above
    check_json(value)
    return without_secrets(value)


def to_severity(value: Any) -> str:
    """Return the severity of an event in one spelling; an unknown one as it came."""
    text = to_text(value)
    try:
        return EventSeverity.parse(text).label
    except ValueError:
        return text


CONVERT: dict[ColumnType, Convert] = {
    ColumnType.INTEGER: to_integer,
    ColumnType.DECIMAL: to_decimal,
    ColumnType.BOOLEAN: to_boolean,
    ColumnType.TEXT: to_text,
    ColumnType.TIMESTAMP: to_timestamp,
    ColumnType.DATE: to_date,
    ColumnType.JSON: to_json,
}


def shorten(value: Any) -> str:
    """Return a value as a message shows it."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return repr(value)[:60]


def depth_of(value: Any) -> int:
    """Return how deep JSON is nested; no more than one above :data:`DEEPEST` is counted."""
    level, depth = [value], 0
    while depth <= DEEPEST:
        level = [
            item
            for one in level
            if isinstance(one, (Mapping, list))
            for item in (one.values() if isinstance(one, Mapping) else one)
        ]
        if not level:
            break
        depth += 1
    return depth


def check_json(value: Any) -> None:
    """Refuse JSON that a database would not take.

    :raises ValueError: for what is nested too deeply, and for numbers that are not finite or too large.
    """
    if depth_of(value) > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    parts = [value]
    while parts:
        part = parts.pop()
        if isinstance(part, (Mapping, list)):
            parts.extend(part.values() if isinstance(part, Mapping) else part)
        elif not _is_plain(part):
            raise ValueError("it holds a number that is not finite or too large")


def _is_plain(part: Any) -> bool:
    return not isinstance(part, (int, float)) or -_LARGEST < part < _LARGEST


def storable(value: Any, depth: int = 0) -> Any:
    """Return JSON with a text for what no database takes: what is nested too deeply, and such numbers."""
    if depth > DEEPEST:
        return "nested too deeply"
    if isinstance(value, Mapping):
        return {name: storable(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [storable(item, depth + 1) for item in value]
    return value if _is_plain(value) else str(value)


# A tree of emnify's fields: below a name there is more, or the column and its conversion, or None: left out.
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
        if leaf is None:
            continue
        if type(leaf) is tuple:
            column, convert = leaf
            try:
                found = convert(value)
                if row[column] is None or row[column] == found:
                    row[column] = found
                    continue
                if not strict:  # a second form of the same, of which the first one counts
                    continue
            except (ValueError, TypeError, OverflowError) as error:
                if strict:
                    raise ValueError(f"{column}: {error}") from None
        elif type(leaf) is dict and isinstance(value, Mapping):
            if below := _fill(leaf, value, row, strict):
                rest[name] = below
            continue
        if strict:
            check_json(value)
        if not looks_secret(name, value):
            rest[name] = without_secrets(storable(value))
    return rest


_UNKNOWN = object()


def _leaves(tree: Tree, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, leaf in tree.items():
        if isinstance(leaf, dict):
            yield from _leaves(leaf, (*above, name))
        elif leaf is not None:
            yield (*above, name), leaf[0]


def integer(name: str, *paths: str) -> Column:
    """A whole number of 64 bits."""
    return Column(name, ColumnType.INTEGER, paths or (name,))


def decimal(name: str, *paths: str) -> Column:
    """An exact number."""
    return Column(name, ColumnType.DECIMAL, paths or (name,))


def boolean(name: str, *paths: str) -> Column:
    """Yes or no."""
    return Column(name, ColumnType.BOOLEAN, paths or (name,))


def text(name: str, *paths: str) -> Column:
    """A text."""
    return Column(name, ColumnType.TEXT, paths or (name,))


def timestamp(name: str, *paths: str) -> Column:
    """A point in time."""
    return Column(name, ColumnType.TIMESTAMP, paths or (name,))


def day(name: str, *paths: str) -> Column:
    """A date."""
    return Column(name, ColumnType.DATE, paths or (name,))


def json(name: str, *paths: str) -> Column:
    """An object or a list."""
    return Column(name, ColumnType.JSON, paths or (name,))


def reference(name: str, path: str | None = None, label: str = "name") -> tuple[Column, Column]:
    """Two columns of something that emnify refers to: ``<name>_id``, and its name or description."""
    path = path or name
    return integer(f"{name}_id", f"{path}.id"), text(name, f"{path}.{label}")


def lookup(name: str, path: str | None = None) -> tuple[Column, Column]:
    """Two columns of a lookup, such as a status: ``<name>_id``, and its description."""
    return reference(name, path, "description")
