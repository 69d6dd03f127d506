"""Airflow's masker of secrets, of which each version has its own, or several."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

_MASKERS = (
    "airflow.sdk._shared.secrets_masker.secrets_masker",
    "airflow._shared.secrets_masker.secrets_masker",
    "airflow.utils.log.secrets_masker",
)


def masked(text: str) -> str:
    """Return a text as a log of Airflow shows it."""
    for name in _MASKERS:
        make: Any = getattr(sys.modules.get(name), "_secrets_masker", None)
        if make is not None:
            with contextlib.suppress(RuntimeError):
                text = str(make().redact(text))
    return text


def forget_secrets() -> None:
    """Empty it."""
    for name in _MASKERS:
        make: Any = getattr(sys.modules.get(name), "_secrets_masker", None)
        if make is not None:
            with contextlib.suppress(RuntimeError):  # Airflow 2 may have none yet
                masker = make()
                masker.patterns, masker.replacer = set(), None
