"""The columns of streams: from emnify's nested JSON to one flat, typed row.

Values come in every form that has been recorded of emnify: dates with and without a zone, numbers as
strings, ids as floats, ``alert`` as 1. What a column cannot hold, and every field that no column is made for,
is kept in the column ``_extra``: nothing is lost when emnify adds a field, or changes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from typing import Any

from airflow_provider_emnify.api.enums import EventSeverity
from airflow_provider_emnify.api.secrets.names import without_secrets
from airflow_provider_emnify.api.types import Row

Convert = Callable[[Any], Any]
Batch = Sequence[Sequence[Any]]
"""Rows as columns: the values of each column, one a row. There is at least one row."""

EXTRA = "_extra"
"""The column with what no other column holds, as an object; None when there is nothing."""

DIGITS = 28
"""Digits that an amount may have before the point."""
DECIMALS = 10
"""Digits after the point, the most that emnify has: those of a cost."""

_MOST = Decimal(f"{'9' * DIGITS}.{'9' * DECIMALS}")  # more would be rounded up to one digit too many

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


Columns = tuple[Column, ...]


def to_integer(value: Any) -> int:
    """Return a whole number, also from a float or a string.

    :raises ValueError: for anything else.
    """
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")  # noqa: TRY004 - one error for all that does not fit
    number = int(value)
    if isinstance(value, float) and number != value:
        raise ValueError(f"{value!r} is not a whole number")
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{value!r} does not fit into 64 bits")
    return number


def to_decimal(value: Any) -> Decimal:
    """Return an exact number, also from a string.

    :raises ValueError: for anything else, and for what is not finite.
    """
    if type(value) is not float and isinstance(value, (bool, dict, list)):
        raise ValueError(f"{shorten(value)} is not a number")
    text = str(value).strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not finite")
    first = number.adjusted() if number else 0
    # Its last place is at most so far below the first one as its text is long: to ask for it takes long.
    if number.copy_abs() > _MOST or (first < len(text) - _FINEST and number.as_tuple().exponent < -_FINEST):  # type: ignore[operator]
        raise ValueError(f"{shorten(value)} is too large or too fine")
    return number


_YES_OR_NO = {"1": True, "true": True, "0": False, "false": False}


def to_boolean(value: Any) -> bool:
    """Return a yes or no, also from 1 and 0.

    :raises ValueError: for anything else.
    """
    if isinstance(value, bool):
        return value
    said = None if isinstance(value, (dict, list)) else _YES_OR_NO.get(str(value).strip().lower())
    if said is None:
        raise ValueError(f"{shorten(value)} is neither true nor false")
    return said


def to_text(value: Any) -> str:
    """Return a text; a number becomes one.

    :raises ValueError: for an object or a list.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        raise ValueError(f"{shorten(value)} is not a text")  # noqa: TRY004 - one error for all that does not fit
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
        raise ValueError(f"{shorten(value)} is not a date")  # noqa: TRY004 - one error for all that does not fit
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def iso(moment: datetime) -> str:
    """Return what ``isoformat()`` says of a moment in UTC, in half the time: rows have several of them."""
    hour = _hour(moment.year, moment.month, moment.day, moment.hour)
    finer = f".{moment.microsecond:06}" if moment.microsecond else ""
    return f"{hour}{_SIXTY[moment.minute]}:{_SIXTY[moment.second]}{finer}+00:00"


_SIXTY = [f"{number:02}" for number in range(60)]


@lru_cache(1024)
def _hour(year: int, month: int, day: int, hour: int) -> str:
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:"


def to_date(value: Any) -> date:
    """Return a date; of a point in time, its date in UTC.

    :raises ValueError: for anything else.
    """
    if isinstance(value, str) and len(value) == len("2024-05-01"):
        return date.fromisoformat(value)
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
    return _severity(to_text(value))


@lru_cache(64)
def _severity(text: str) -> str:
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


def levels_of(value: Any) -> list[list[Any]]:
    """Return what JSON holds, level by level, down to one below :data:`DEEPEST`."""
    levels: list[list[Any]] = []
    level = [value]
    while level and not is_too_deep(levels):
        levels.append(level)
        level = [
            item
            for one in level
            if isinstance(one, (Mapping, list))
            for item in (one.values() if isinstance(one, Mapping) else one)
        ]
    return levels


def is_too_deep(levels: Sequence[Any]) -> bool:
    """Tell whether JSON with these levels is nested deeper than databases take; itself is the first one."""
    return len(levels) > DEEPEST + 1


def check_json(value: Any) -> None:
    """Refuse JSON that a database would not take.

    :raises ValueError: for what is nested too deeply, and for numbers that are not finite or too large.
    """
    levels = levels_of(value)
    if is_too_deep(levels):
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    if not all(all(map(_is_plain, level)) for level in levels):
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


def batch_of(rows: Iterable[Row]) -> Batch:
    """Return flat rows as columns."""
    return list(zip(*(row.values() for row in rows), strict=True))


def _columns_of(kind: ColumnType) -> Callable[..., Column]:
    """Return what makes a column of a type: of its name, and its paths where that is not the same."""
    return lambda name, *paths: Column(name, kind, paths or (name,))


integer, decimal, boolean, text, timestamp, day, json = map(_columns_of, ColumnType)


def each(
    make: Callable[..., Column], *names: str, of: str | None = None, within: str | None = None
) -> tuple[Column, ...]:
    """Return columns of one type that are called like their fields.

    :param of: Where these fields stand, which the names of the columns begin with: ``sim_iccid`` is
        ``sim.iccid``.
    :param within: Where they stand, when the names do not say it: ``apn`` is ``pdp_context.apn``.
    """
    above, prefix = of or within, f"{of}_" if of else ""
    return tuple(make(f"{prefix}{name}", f"{above}.{name}" if above else name) for name in names)


def reference(name: str, path: str | None = None, label: str = "name") -> tuple[Column, Column]:
    """Two columns of something that emnify refers to: ``<name>_id``, and its name or description."""
    path = path or name
    return integer(f"{name}_id", f"{path}.id"), text(name, f"{path}.{label}")


def lookup(name: str, path: str | None = None) -> tuple[Column, Column]:
    """Two columns of a lookup, such as a status: ``<name>_id``, and its description."""
    return reference(name, path, "description")


DEVICE = (
    *reference("endpoint"),
    *each(text, "tags", "imei", "ip_address", of="endpoint"),
    integer("sim_id", "sim.id"),
    text("sim_iccid", "sim.iccid"),
    text("sim_msisdn", "sim.msisdn", "msisdn.msisdn"),
    timestamp("sim_production_date", "sim.production_date"),
)
"""The endpoint and the SIM of an event or a usage record."""
