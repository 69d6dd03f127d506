"""An answer, and what stands in its body."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    """A body that is no JSON."""

    text: str


def parse_body(content: bytes, pick: Pick | None = None) -> Any:
    """Return the JSON in a body: None when it is empty, :class:`Unreadable` when it is none.

    :param pick: Makes what is kept of each object in it, from the inside out.
    """
    if not content.strip():
        return None
    try:
        return json.loads(content, object_hook=pick)
    except (ValueError, RecursionError):
        # Guessing the encoding of a large page takes seconds, and only a person reads it.
        return Unreadable(content.decode("utf-8", "replace"))


def error_body_without_values(content: bytes) -> str:
    """Return what may be shown of an error that could hold a token: its code and its name."""
    said = parse_body(content[:_WORTH_READING])
    if not isinstance(said, dict):
        return ""
    shown: dict[str, Any] = {}
    code, name = said.get("error_code"), said.get("error_token")
    if isinstance(code, int) and 0 <= code < 10_000:  # noqa: PLR2004 - as emnify's codes are
        shown["error_code"] = code
    if isinstance(name, str) and re.fullmatch(r"[A-Za-z]{3,40}", name):
        shown["error_token"] = shown["message"] = name
    return json.dumps(shown) if shown else ""
