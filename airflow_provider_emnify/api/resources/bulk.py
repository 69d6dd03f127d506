"""Writes in bulk: chunks one after another, and the state read back when one fails.

emnify does not say whether a bulk call is all or nothing, and its errors name no item. So after any failure
the items are looked at: what is done is done, whatever the answer was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from airflow_provider_emnify.api.enums import DataStreamStatus, EndpointStatus, QuotaStatus, SimStatus
from airflow_provider_emnify.api.errors import (
    EmnifyAuthenticationError,
    EmnifyError,
    EmnifyNotFoundError,
    EmnifyPartialError,
    EmnifyServerError,
)
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.transport.answers import number, part
from airflow_provider_emnify.api.types import Row

log = one_line_log(__name__)

Item = TypeVar("Item")
Done = TypeVar("Done")
Status = TypeVar("Status", EndpointStatus, SimStatus, QuotaStatus, DataStreamStatus)

CHUNK = 2000
"""Items that emnify takes in one bulk call."""


def send_in_chunks(
    items: Sequence[Item],
    *,
    send: Callable[[list[Item]], list[Done]],
    look: Callable[[list[Item]], tuple[list[Done], list[Item]]],
    what: str,
    size: int = CHUNK,
) -> list[Done]:
    """Send items in chunks, one after another, and return what was done.

    A failed chunk that turns out to be done is no error, and the next one follows.

    :param send: Sends one chunk and returns what it did.
    :param look: Reads the state of a chunk that failed; returns what is done and the items that are not.
    :param what: What is being done, for messages: ``create endpoints``.
    :param size: Items in a chunk.
    :raises EmnifyPartialError: if a chunk failed and is not done; later chunks are not sent. Its cause is
        the first error.
    """
    done: list[Done] = []
    for start in range(0, len(items), size):
        chunk = list(items[start : start + size])
        try:
            done += send(chunk)
        except EmnifyError as error:
            found, missing, unseen = _look_back(chunk, look, error)
            done += found
            if not missing:
                log.warning(
                    "The call to %s failed (%s), but all %d are done; going on", what, error, len(chunk)
                )
                continue
            why = f"could not {what}: {error.message}{unseen}"
            not_done = [*missing, *items[start + size :]]
            partial = error.as_kind(EmnifyPartialError, why, done=done, not_done=not_done)
            partial.transient = error.transient
            raise partial from error
    return done


def delete_in_chunks(
    ids: list[int],
    *,
    send: Callable[[list[int]], object],
    look: Callable[[list[int]], tuple[list[int], list[int]]],
    what: str,
) -> list[int]:
    """Delete in chunks, as :func:`send_in_chunks` does. What went meanwhile is done, and keeps no other."""

    def delete(chunk: list[int]) -> list[int]:
        try:
            send(chunk)
        except EmnifyNotFoundError:
            left = look(chunk)[1]
            if len(left) == len(chunk):
                raise
            if left:
                delete(left)
        return chunk

    return send_in_chunks(ids, send=delete, look=look, what=what)


def _look_back(
    chunk: list[Item], look: Callable[[list[Item]], tuple[list[Done], list[Item]]], error: EmnifyError
) -> tuple[list[Done], list[Item], str]:
    if isinstance(error, EmnifyAuthenticationError):  # nothing was done, and asking would be a second try
        return [], chunk, ""
    try:
        found, missing = look(chunk)
    except EmnifyError as unreadable:
        return [], chunk, f" (and what it did could not be read: {unreadable.message})"
    return found, missing, ""


def split(items: Iterable[Item], is_done: Callable[[Item], bool]) -> tuple[list[Item], list[Item]]:
    """Return the items that are done and those that are not."""
    done: list[Item] = []
    missing: list[Item] = []
    for item in items:
        (done if is_done(item) else missing).append(item)
    return done, missing


def status_of(row: Row) -> int | None:
    """Return the id of a row's status, None when it has none."""
    return number(part(row, "status"), "id")  # of a quota it is a text


def read_ref(row: Row, name: str) -> int | None:
    """Return the id of what a row refers to, None where it refers to nothing.

    :param name: Its field with the other one's ``id``: ``sim`` of an endpoint.
    :raises EmnifyServerError: when it is there, and no id; another attempt may get another answer.
    """
    given = row.get(name)
    if given is None or (isinstance(given, dict) and all(value is None for value in given.values())):
        return None
    found = number(part(row, name), "id")
    if found is None:
        raise EmnifyServerError(f"the {name} of {row.get('id')} has no usable id: {given!r}")
    return found


def read_status(statuses: type[Status], row: Row) -> Status:
    """Return the status of a row.

    :raises EmnifyServerError: when it is none that there is; another attempt may get another answer.
    """
    try:
        return statuses.parse(status_of(row))
    except ValueError as error:
        whose = f" of {row['id']}" if "id" in row else ""
        raise EmnifyServerError(f"the status{whose} is unusable: {error}") from None
