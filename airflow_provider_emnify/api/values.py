"""Ids, moments and flags as a DAG gives them: as XCom, SQL results and templates hand them over.

What is taken as ids, everywhere: one or several of them, in any iterable; the text that a template renders
such a value to; one list within the list (what mapped tasks and SQL rows with one column give); objects and
named rows with an ``id``; whole numbers of any type (``Decimal``, ``7.0``, NumPy). A tuple within the list is
a row: of several columns, of which none is named ``id``, which one is meant is unknown.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from numbers import Integral
from typing import Any
from uuid import UUID

from airflow_provider_emnify.api.errors import one_line

USERNAME = r"[^\s/\\@]+@[^\s/\\@]+"
"""What a username is like: an email address."""

_TEXT = re.compile(r"[\w./:@+-]+")
_LONGEST = 40  # digits; more than any number that could be taken for an id
_WHOLE = re.compile(rf"(\d{{1,{_LONGEST}}})(\.0+)?", re.ASCII)
# As Python shows values that are no literals: Decimal('7'), np.int64(7), UUID('...').
_TYPED = re.compile(r"\b(?:Decimal|UUID|np\.u?int\d+|np\.float\d+)\(((?:'[^']*'|[\d.]+))\)")
_MOST = 2**63 - 1  # ids of emnify are of 64 bits
_ICCIDS = range(89 * 10**17, 90 * 10**17)  # without the check digit
_PLAIN = {int, str}
_NO_LISTS = (str, bytes, bytearray, memoryview, Mapping)
_ICCID_DIGITS = 19  # without the check digit
_SHOWN = 200  # characters of a value in a message


def parse_ids(value: Any, field: str = "ids") -> list[int]:
    """Return the ids that ``value`` means, without repeats, in their order.

    :param value: ``7``, ``"7"``, ``[7, "8"]``, ``"[7, 8]"``, ``"7,8"``, ``[[7], [8]]``, ``[(7,), (8,)]``,
        ``[{"id": 7}]``; nothing (``None``, ``""``, ``[]``, ``"[]"``) is an empty list.
    :param field: Name of the argument, for the message.
    :raises ValueError: for anything else; the message shows the value.
    """
    return list(dict.fromkeys(_number(item, value, field) for item in _items(value, field)))


def parse_id(value: Any, field: str = "id") -> int:
    """Return the one id that ``value`` means.

    :param value: As for :func:`parse_ids`.
    :raises ValueError: when it means none, or several; the message shows the value.
    """
    ids = parse_ids(value, field)
    if len(ids) != 1:
        raise ValueError(f"{field}: {_shown(value)} is not a single id; give one number, like 7")
    return ids[0]


def parse_iccid(value: Any, field: str = "iccid") -> str:
    """Return the 19 digits of an ICCID, given with or without its check digit, which is checked.

    :raises ValueError: for anything else; the message shows the value.
    """
    whole = isinstance(value, Decimal) and value.is_finite() and value % 1 == 0
    digits = str(int(value) if whole else value).strip()  # a float has lost digits, and shows it
    if not re.fullmatch(r"\d{19,20}", digits, re.ASCII):
        raise ValueError(f"{field}: {_shown(value)} is not a valid ICCID; give 19 or 20 digits, as a text")
    if len(digits) > _ICCID_DIGITS and _luhn(digits):
        raise ValueError(f"{field}: {digits} is not a valid ICCID: its check digit is wrong")
    return digits[:_ICCID_DIGITS]


def _luhn(digits: str) -> int:
    """Return 0 for digits that end with their check digit."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10


def parse_user_ids(value: Any, field: str = "user_ids") -> list[int | str]:
    """Return the user ids or usernames that ``value`` means: emnify finds a user by either.

    :param value: As for :func:`parse_ids`; what is not a number must be a username (an email address).
    :raises ValueError: for anything else; the message shows the value.
    """
    return list(dict.fromkeys(_user(item, value, field) for item in _items(value, field)))


def parse_texts(value: Any, field: str = "ids") -> list[str]:
    """Return ids that are texts: UUIDs, batch numbers, or numbers that come as text.

    :param value: As for :func:`parse_ids`.
    :raises ValueError: for any other; the message shows the value.
    """
    return list(dict.fromkeys(_text(item, value, field) for item in _items(value, field)))


def parse_pairs(value: Any, field: str) -> list[str]:
    """Return ids of things that belong to another thing, as ``"OWNER/ID"``.

    :param value: ``"12/345"``, ``{12: [345, 346]}``, or a list of these or of pairs ``(12, 345)``.
    :raises ValueError: for anything else; the message shows the value.
    """
    pairs: dict[str, None] = {}
    for item in _pair_items(_literal(value, field) if isinstance(value, str) else value, field):
        if not re.fullmatch(r"\d+/[\w-]+", item):
            raise ValueError(f"{field}: {item!r} is not a valid pair of ids; give OWNER/ID, like '12/345'")
        pairs[item] = None
    return list(pairs)


def _pair_items(value: Any, field: str, depth: int = 0) -> Iterator[str]:
    """Give each pair that is in a value: in a dict of ids by owner, or a list, or one list within a list."""
    if value is None or (isinstance(value, str) and not value):
        return
    if isinstance(value, Mapping):
        for owner, ids in value.items():
            for owner_id in parse_ids(owner, field):
                yield from (f"{owner_id}/{one}" for one in parse_texts(ids, field))
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)) and depth <= 2:  # noqa: PLR2004 - list, list within it, pair
        items = list(value)
        if depth and len(items) == 2 and all(_is_id(item) for item in items):  # noqa: PLR2004 - a pair
            yield "/".join(str(_plain(item)) for item in items)
        else:
            for item in items:
                yield from _pair_items(item, field, depth + 1)
    else:
        yield from (part.strip() for part in str(value).split(","))


def _is_id(item: Any) -> bool:
    return not isinstance(item, (Iterable, bool)) or (isinstance(item, str) and "/" not in item)


def _items(value: Any, field: str) -> list[Any]:
    """Return the single ids in a value, each as a number or a text where it is one."""
    if value is None:
        return []
    if isinstance(value, str):
        value = _literal(value, field)
        if value == "":
            return []
        if isinstance(value, str):
            return [part.strip() for part in value.split(",")]
    if not is_list(value):
        return [_plain(value)]
    if hasattr(value, "_fields"):
        value = [value]
    return [_plain(item) for outer in value for item in _within(outer, value, field)]


def _within(outer: Any, value: Any, field: str) -> Iterable[Any]:
    """Return the ids in an item of a list, which may be a list or a row."""
    if type(outer) in _PLAIN:
        return (outer,)
    if "id" in getattr(outer, "_fields", ()):
        return (outer.id,)
    if isinstance(outer, tuple) and len(outer) > 1:
        raise ValueError(
            f"{field}: {_shown(outer)} in {_shown(value)} is a row of several columns; select the id alone"
        )
    return outer if is_list(outer) else (outer,)


def is_list(value: Any) -> bool:
    """Tell whether a value holds several: a list, a set, an array, a column, what is read one by one."""
    if type(value) in _PLAIN or type(value) is list:
        return type(value) is list
    return hasattr(value, "__iter__") and not isinstance(value, _NO_LISTS) and not is_scalar(value)


def as_list(value: Any) -> list[Any]:
    """Return the values in a list, also in the text that a template renders one to; what is none, alone."""
    if isinstance(value, str) and value.strip().startswith(("[", "(", "{")):
        found = parse_literal(_TYPED.sub(r"\1", value))
        value = found if is_list(found) else value
    return [*value] if is_list(value) else [value]


def is_scalar(value: Any) -> bool:
    """Tell whether a value is one of NumPy's, whose ``item()`` it is; some say that they are iterable."""
    return getattr(value, "shape", None) == ()


def _plain(item: Any) -> Any:
    """Return an id as a plain int or str, where it is one in another form."""
    if type(item) in _PLAIN:
        return item
    if isinstance(item, Mapping) and "id" in item:
        item = item["id"]
    if is_scalar(item):
        item = item.item()
    if isinstance(item, bool):
        return item
    if isinstance(item, UUID):
        return str(item)
    if isinstance(item, Integral):
        return int(item)
    if isinstance(item, Decimal) and item.is_finite() and item.adjusted() < _LONGEST and item % 1 == 0:
        return int(item)
    return int(item) if isinstance(item, float) and item.is_integer() else item


def _literal(text: str, field: str) -> Any:
    """Return the list or dict that a template has rendered to text; other text as it is, nothing as ''."""
    text = text.strip()
    if text in {"", "None", "null"}:
        return ""
    if text[0] not in "[({":
        return text
    plain = _TYPED.sub(r"\1", text)
    if (found := parse_literal(plain)) == plain:  # it says nothing
        raise _refuse(text, text, field)
    return found


def parse_literal(text: str) -> Any:
    """Return what a text says in JSON or Python, or else the text itself."""
    text = text.strip()
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return text


def moment(value: datetime | date | str | None) -> str | None:
    """Return a point in time as ``YYYY-MM-DDTHH:mm:ssZ`` in UTC. Without a time zone, UTC is meant.

    :raises ValueError: if the text is not an ISO 8601 date or time.
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
    elif not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    value = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    return f"{value.isoformat(timespec='seconds')}Z"  # strftime() would leave out the noughts before a year


def parse_moment(value: Any, field: str) -> str:
    """Return a point in time as emnify takes it, of a datetime, a date or ISO 8601 text.

    :raises ValueError: naming the field and the value, for anything else.
    """
    try:
        if isinstance(value, (str, date)) and (text := moment(value)) is not None:
            return text
    except (ValueError, OverflowError):  # it may lie before the first year, or after the last one
        pass
    raise ValueError(f"{field}: {value!r} is not a valid date or time; give one in ISO 8601")


def parse_day(value: Any, field: str) -> str:
    """Return a date as ``YYYY-MM-DD``; of a point in time, its date in UTC.

    :raises ValueError: as :func:`parse_moment` does.
    """
    return parse_moment(value, field)[:10]


def is_nothing(value: Any) -> bool:
    """Tell whether a value is none, also as the text that a template renders it to."""
    return value is None or (isinstance(value, str) and value.strip() in {"", "None", "null"})


def parse_bool(value: Any, field: str) -> bool:
    """Return a yes or no, also from what a template renders to (``"True"``, ``"false"``, ``"1"``).

    :raises ValueError: naming the field and the value.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "1", "yes"}:
        return True
    if isinstance(value, str) and value.strip().lower() in {"false", "0", "no", ""}:
        return False
    raise ValueError(f"{field}: {value!r} is not valid; allowed: True, False")


def unknown_name(what: str, name: str, allowed: Iterable[str]) -> str:
    """Return a complaint about a name that there is not, with what may be meant."""
    near = get_close_matches(name, allowed, n=1)
    return f"unknown {what} {name!r}" + (f" (did you mean {near[0]!r}?)" if near else "")


def _number(item: Any, value: Any, field: str) -> int:
    if type(item) is int and 0 <= item < _ICCIDS.start:
        return item
    if isinstance(item, str) and (whole := _WHOLE.fullmatch(item.strip())):
        item = int(whole[1])
    if not isinstance(item, int) or isinstance(item, bool) or item < 0:
        raise _refuse(item, value, field)
    if item > _MOST or item in _ICCIDS:
        raise ValueError(f"{field}: {item} is {_long_number(str(item))}")
    return item


def _user(item: Any, value: Any, field: str) -> int | str:
    is_name = isinstance(item, str) and re.fullmatch(USERNAME, item.strip())
    return item.strip() if is_name else _number(item, value, field)


def _text(item: Any, value: Any, field: str) -> str:
    text = str(item).strip()
    if isinstance(item, bool) or not isinstance(item, (int, str)) or not _TEXT.fullmatch(text):
        raise _refuse(item, value, field)
    return text


def _long_number(digits: str) -> str:
    """Say what a number is that is too long for an id."""
    if re.fullmatch(r"89\d{17}", digits):
        return "an ICCID, not an id; client.sims.list(iccid=...) finds the id of its SIM"
    if re.fullmatch(r"89\d{18}", digits):
        return "an ICCID, not an id; client.sims.list(iccid_with_luhn=...) finds the id of its SIM"
    if re.fullmatch(r"89\d{30}", digits):
        return "an eID, not an id; client.euiccs.list(eid=...) finds the id of its eUICC"
    return "too long for an id"


def _refuse(item: Any, value: Any, field: str) -> ValueError:
    shown = _shown(item) if item is value else f"{_shown(item)} in {_shown(value)}"
    return ValueError(f"{field}: {shown} is not a valid id; give a number, a list, '1,2' or '[1, 2]'")


def _shown(value: Any) -> str:
    text = one_line(repr(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
