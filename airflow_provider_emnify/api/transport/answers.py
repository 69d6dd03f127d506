"""What the body of an answer must hold, as each operation declares it, and reading what is in it.

An answer that does not hold what was promised is not "nothing there": a gateway, a proxy or a connection that
ended early made it. So it counts as an error of the server, and as an unknown outcome of a write.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

Kind = Literal[
    "anything", "nothing", "acknowledgement", "json", "object", "list", "lookup", "either", "page", "created"
]

_CREATED, _NO_CONTENT = 201, 204
_DIGITS, _MOST = 18, 2**63  # of a 64-bit number: digits that all fit, and the first number that does not


@dataclass(frozen=True)
class Shape:
    """What the body of a success holds.

    :param kind: ``anything``: it may be empty. ``nothing``: it is empty, or an object, which is not read.
        ``acknowledgement``: an object, which is not read; only a 201 or 204 may come without it. ``json``:
        anything but nothing. ``object``, ``list`` (of objects), ``lookup`` (such a list, and never an empty
        one), ``either`` an object or a list, ``page``: an object with its list as ``data``. ``created``: an
        object with its ``id``, or only a ``Location`` that ends with it.
    :param ids: The type of the ``id`` that the object has, or each in the list; None where there is none.
        Numbers can come as text.
    :param holds: Fields that the object has, or each in the list, and their types.
    """

    kind: Kind = "json"
    ids: type[int] | type[str] | None = None
    holds: Mapping[str, type] = field(default_factory=dict)

    def complaint(self, status: int, headers: Mapping[str, str], body: Any) -> str | None:
        """Return what is wrong with an answer; None when it holds what was promised."""
        if self.kind == "anything" or (self.kind == "json" and status == _NO_CONTENT):
            return None
        if self.kind in {"nothing", "acknowledgement"}:
            silent = body is None and (self.kind == "nothing" or status in {_CREATED, _NO_CONTENT})
            return None if silent or isinstance(body, dict) else _not(body, "an object")
        if self.kind == "json":
            return _not(body, "something") if body is None else None
        if self.kind == "created":
            if body is not None and not isinstance(body, dict):
                return _not(body, "an object")
            is_known = created_id(headers, body, self.ids) is not None
            return None if is_known else "it holds no id of what was created"
        return self._content_complaint(body)

    def _content_complaint(self, body: Any) -> str | None:
        if self.kind == "page":
            if not isinstance(body, dict) or not isinstance(body.get("data"), list):
                return _not(body, "an object with a list as its data")
            return self._rows_complaint(body["data"])
        if isinstance(body, list) and self.kind in {"list", "lookup", "either"}:
            return "it is an empty list" if not body and self.kind == "lookup" else self._rows_complaint(body)
        if isinstance(body, dict) and self.kind in {"object", "either"}:
            return self._row_complaint(body)
        wanted = {"object": "an object", "either": "an object or a list"}.get(self.kind, "a list")
        return _not(body, wanted)

    def _rows_complaint(self, rows: list[Any]) -> str | None:
        if (
            self.ids is int
            and not self.holds
            and all(type(row) is dict and type(row.get("id")) is int and row["id"] < _MOST for row in rows)
        ):
            return None  # thousands of them, a page
        return next((wrong for wrong in map(self._row_complaint, rows) if wrong is not None), None)

    def _row_complaint(self, row: Any) -> str | None:
        if not isinstance(row, dict):
            return f"{_what(row)} is in it where an object was expected"
        if self.ids is not None and not is_id(row.get("id"), self.ids):
            return f"an object in it has no usable id ({_what(row.get('id'))})"
        wrong = [name for name, kind in self.holds.items() if not isinstance(row.get(name), kind)]
        return f"it has no usable {', '.join(wrong)}" if wrong else None


JSON, ANYTHING = Shape("json"), Shape("anything")


def is_id(value: Any, kind: type[int] | type[str]) -> bool:
    """Tell whether a value can be the id of something: a number of 64 bits, also as text, or else a text."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < _MOST
    if not isinstance(value, str) or not value.strip():
        return False
    return kind is str or (value.isascii() and value.isdecimal() and len(value) <= _DIGITS)


def created_id(
    headers: Mapping[str, str], body: Any, kind: type[int] | type[str] | None = None
) -> int | str | None:
    """Return the id of what was created: in the body, or else the end of ``Location``. None without one."""
    given = body.get("id") if isinstance(body, dict) else None
    if is_id(given, kind or str):
        found: int | str = int(given) if kind is int else given  # type: ignore[arg-type,assignment]
        return found
    last = _last_part(headers.get("Location") or "")
    if not is_id(last, kind or str) or last is None:
        return None
    return int(last) if is_id(last, int) else last


def _last_part(location: str) -> str | None:
    """Return the last part of the path of an URL, which may be none at all."""
    try:
        path = urlsplit(location.strip()).path
    except ValueError:  # "http://[::1/": no URL, and all the same its end may be the id
        path = location.strip().partition("?")[0].partition("#")[0]
    last = unquote(path.rstrip("/").rpartition("/")[2])
    return last if re.fullmatch(r"[\w.-]*\d[\w.-]*", last, re.ASCII) else None  # "user" is the list, no id


def part(row: Any, name: str) -> dict[str, Any]:
    """Return an object within an object; an empty one where there is none, or something else."""
    found = row.get(name) if isinstance(row, dict) else None
    return found if isinstance(found, dict) else {}


def parts(row: Any, name: str) -> list[dict[str, Any]]:
    """Return the objects of a list within an object; none where there is no list."""
    found = row.get(name) if isinstance(row, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def number(row: Any, name: str) -> int | None:
    """Return a whole number in an object, also where it is written as a text; None where there is none."""
    found = row.get(name) if isinstance(row, dict) else None
    return int(found) if is_id(found, int) else None  # type: ignore[arg-type]


def decimal(row: Any, name: str) -> float | None:
    """Return a number in an object, also where it is written as a text; None where there is none."""
    found = row.get(name) if isinstance(row, dict) else None
    try:
        value = math.nan if isinstance(found, bool) else float(found)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def moment_in(row: Any, name: str) -> datetime | None:
    """Return a point in time in an object, in UTC, which is meant without a zone too; None without one."""
    try:
        found = datetime.fromisoformat(str(row.get(name)).strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _not(body: Any, wanted: str) -> str:
    return f"it is {_what(body)} where {wanted} was expected"


def _what(value: Any) -> str:
    names = {type(None): "empty", dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "a number")
