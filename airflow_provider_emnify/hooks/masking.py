"""Airflow's own masker for secrets, wherever the installed Airflow keeps it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PLACES = (
    "airflow.sdk.log",  # 3.1 and later
    "airflow.sdk.execution_time.secrets_masker",  # 3.0
    "airflow.utils.log.secrets_masker",  # 2.11
)


def _find() -> Any:
    for place in _PLACES:
        try:
            return import_module(place).mask_secret
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"no mask_secret in any of {', '.join(_PLACES)}")


_mask_secret = _find()


def mask(secret: str) -> None:
    """Have Airflow replace a secret by ``***`` in every log from now on."""
    if secret:
        _mask_secret(secret)
