"""What is sent back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Missing:
    """Stands for a body that was not sent."""

    def __bool__(self) -> bool:
        return False


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. Without ``body`` the answer is empty."""

    status: int = 200
    body: Any = MISSING
    headers: Mapping[str, str] = field(default_factory=dict)
