"""Finding: one line of the doctor's table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed", "skipped"]
_WIDTH = 110


@dataclass(frozen=True)
class Finding:
    """What was looked at, and what was found.

    :param what: What was looked at, in a few words.
    :param state: ``ok``, ``warning``, ``failed``, or ``skipped`` where something before it failed.
    :param detail: What was found, free of secrets.
    :param remedy: What to do about it.
    """

    what: str
    state: State
    detail: str
    remedy: str = ""


def table(findings: Iterable[Finding]) -> str:
    """Return findings as a table for a terminal."""
    rows = list(findings)
    width = max((len(row.what) for row in rows), default=0)
    lines = []
    for row in rows:
        lines.append(f"{row.state.upper():8} {row.what:{width}}  {row.detail}"[: 10 * _WIDTH])
        if row.remedy:
            lines.append(f"{'':8} {'':{width}}  -> {row.remedy}")
    bad = sum(row.state == "failed" for row in rows)
    warned = sum(row.state == "warning" for row in rows)
    return "\n".join([*lines, "", f"{bad} failed, {warned} warnings, {len(rows)} checks"])
