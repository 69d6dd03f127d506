"""An answer, and what stands in its body."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Pick = Callable[[dict[str, Any]], Any]

_WORTH_READING = 1024 * 1024  # bytes of an error


@dataclass(frozen=True)
class Answer:
    """A success.

    :param status: HTTP status.
    :param headers: Headers; their names are found in any letter case.
    :param body: The parsed JSON; None when there was no body.
    """

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Unreadable:
    """A body that is not JSON."""

    text: str


def parse_body(content: bytes, pick: Pick | None = None) -> Any:
    """Return the JSON in a body: None when it is empty, :class:`Unreadable` when it is none.

    :param pick: Makes what is kept of each object in it, from the inside out.
    """
    if not content.strip():
        return None
    try:
        return _loads(content) if pick is None else json.loads(content, object_hook=pick)
    except (ValueError, RecursionError):
        # Guessing the encoding of a large page takes seconds, and only a person reads it.
        return Unreadable(content.decode("utf-8", "replace"))


def _loads(content: bytes) -> Any:
    """Return what ``json.loads`` does, by orjson where that is installed and reads the same.

    A number beyond 64 bits is a float to it. What it refuses, such as NaN and halves of characters, is left
    to ``json``.
    """
    fast = fast_json()
    if fast is not None and content[:1] in b"[{" and _LARGE not in content.translate(_DIGITS):
        with contextlib.suppress(ValueError):
            return fast.loads(content)
    return json.loads(content)


@functools.cache
def fast_json() -> Any:
    """Return the module ``orjson``, None where the extra ``fast`` is not installed."""
    try:
        return import_module("orjson")
    except ImportError:
        return None


_DIGITS = bytes.maketrans(b"123456789,[-+ \t\r\n", b"000000000::::::::")
_LARGE = b":" + b"0" * 19  # outside of a text, as those are in quotes


def error_in(body: Any) -> str | None:
    """Return what is wrong with a success that holds emnify's form of an error; None where it does not."""
    if not isinstance(body, dict) or not {"error_code", "error_token"} <= body.keys():
        return None
    name = body["error_token"]
    return f"it is an error, {name if _is_name(name) else 'unnamed'}"


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z]{3,40}", value) is not None


def error_body_without_values(content: bytes) -> str:
    """Return what may be shown of an error that could hold a token: its code and its name."""
    said = parse_body(content[:_WORTH_READING])
    if not isinstance(said, dict):
        return ""
    shown: dict[str, Any] = {}
    code, name = said.get("error_code"), said.get("error_token")
    if isinstance(code, int) and 0 <= code < 10_000:  # noqa: PLR2004 - as emnify's codes are
        shown["error_code"] = code
    if _is_name(name):
        shown["error_token"] = shown["message"] = name
    return json.dumps(shown) if shown else ""
