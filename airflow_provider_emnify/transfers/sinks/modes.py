"""How a table takes rows: merged by key, appended, or in place of what it held."""

from __future__ import annotations

from typing import Literal

Mode = Literal["merge", "append", "replace"]
MODES: tuple[Mode, ...] = ("merge", "append", "replace")
