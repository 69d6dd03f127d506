"""Ids as a DAG gives them: a number, a list, or the string that a template renders to."""

from __future__ import annotations

import ast
import re
from typing import Any

_TEXT = re.compile(r"[\w./:@+-]+")


def parse_ids(value: Any, field: str = "ids") -> list[int]:
    """Return the ids that ``value`` means, without repeats, in their order.

    :param value: ``7``, ``"7"``, ``[7, "8"]``, ``"[7, 8]"``, ``"7,8"``; nothing (``None``, ``""``, ``[]``,
        ``"[]"``) is an empty list.
    :param field: Name of the argument, for the message.
    :raises ValueError: for anything else; the message shows the value.
    """
    return list(dict.fromkeys(_number(item, value, field) for item in _items(value, field)))


def parse_user_ids(value: Any, field: str = "user_ids") -> list[int | str]:
    """Return the user ids or usernames that ``value`` means: emnify finds a user by either.

    :param value: As for :func:`parse_ids`; what is no number must be a username (an email address).
    :raises ValueError: for anything else; the message shows the value.
    """
    users: dict[int | str, None] = {}
    for item in _items(value, field):
        if isinstance(item, str) and "@" in item and not item.isspace():
            users[item.strip()] = None
        else:
            users[_number(item, value, field)] = None
    return list(users)


def parse_texts(value: Any, field: str = "ids") -> list[str]:
    """Return ids that are texts: UUIDs, batch numbers, or numbers that come as text.

    :param value: As for :func:`parse_ids`.
    :raises ValueError: for anything that is no such id; the message shows the value.
    """
    texts: dict[str, None] = {}
    for item in _items(value, field):
        if (
            isinstance(item, bool)
            or not isinstance(item, (int, str))
            or not _TEXT.fullmatch(str(item).strip())
        ):
            raise _refuse(item, value, field)
        texts[str(item).strip()] = None
    return list(texts)


def _items(value: Any, field: str) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str):
        text = value.strip()
        if text in {"", "None", "null"}:
            return []
        if text[0] in "[(":
            try:
                value = ast.literal_eval(text)
            except (SyntaxError, ValueError):
                raise _refuse(value, value, field) from None
        else:
            return [part.strip() for part in text.split(",")]
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return list(value)
    if hasattr(value, "__iter__") and not isinstance(value, (bytes, dict)):
        return list(value)
    return [value]


def _number(item: Any, value: Any, field: str) -> int:
    if isinstance(item, str) and item.strip().isascii() and item.strip().isdecimal():
        item = int(item)
    if isinstance(item, int) and not isinstance(item, bool) and item >= 0:
        return item
    raise _refuse(item, value, field)


def _refuse(item: Any, value: Any, field: str) -> ValueError:
    shown = repr(value)
    where = "" if item is value else f" in {shown if len(shown) <= 200 else shown[:200] + '...'}"  # noqa: PLR2004 - a readable message
    return ValueError(f"{field}: {item!r}{where} is no id; give a number, a list, '1,2' or '[1, 2]'")
