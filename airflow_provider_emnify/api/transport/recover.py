"""What a request whose answer was lost has created is looked for, so that it is neither lost nor doubled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any, TypeVar

from airflow_provider_emnify.api.errors import EmnifyError, EmnifyUnknownOutcomeError
from airflow_provider_emnify.api.types import Row

T = TypeVar("T")
_recovers: ContextVar[bool] = ContextVar("_recovers", default=True)


@contextmanager
def without_recovery() -> Iterator[None]:
    """Do not look for what was created when an answer is lost: the caller looks before and after."""
    token = _recovers.set(False)
    try:
        yield
    finally:
        _recovers.reset(token)


def recovers() -> bool:
    """Tell whether a create looks for what was created when its answer is lost."""
    return _recovers.get()


def nothing_found() -> None:
    """Find nothing: for a caller that looks by itself."""


BEGINNING = 100
"""Rows of a long list that are looked at for one that was created a moment ago."""


def created_since(
    list_all: Callable[[], Iterable[Row]], is_it: Callable[[Row], bool], most: int | None = None
) -> Callable[[], Row | None]:
    """Return what finds a thing that is created from now on, among things that look like it.

    :param list_all: Lists where it will be found; asked at once for those that are there already.
    :param is_it: Tells whether a row looks like it.
    :param most: Rows that are looked at, of a long list that begins with the latest; None: all.
    """
    if not recovers():
        return nothing_found

    def similar() -> Iterator[Row]:
        return filter(is_it, islice(list_all(), most))

    before = {str(row.get("id")) for row in similar()}
    return lambda: next((row for row in similar() if str(row.get("id")) not in before), None)


def having(**fields: Any) -> Callable[[Row], bool]:
    """Return what tells whether a row has these values."""
    return lambda row: all(row.get(name) == value for name, value in fields.items())


def recover(find: Callable[[], T | None], lost: EmnifyUnknownOutcomeError) -> T | None:
    """Return what was created by a request whose answer was lost, None when it is not found.

    :param find: Looks for it.
    :param lost: The error of the request.
    :raises EmnifyUnknownOutcomeError: when it cannot be looked for: whether it was created is not known then.
    """
    try:
        return find()
    except EmnifyError as error:
        lost.message += f". Looking for it failed: {error.message}"
        raise lost from error
