"""Many writes one after another: which were done, and which emnify refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from airflow_provider_emnify.api import (
    EmnifyAuthenticationError,
    EmnifyError,
    EmnifyNetworkStateError,
    EmnifyPartialError,
    EmnifyPermissionError,
    EmnifyUnknownOutcomeError,
)

Item = TypeVar("Item")
Result = TypeVar("Result")

_ENDS_IT = (EmnifyAuthenticationError, EmnifyPermissionError, EmnifyUnknownOutcomeError)


def for_each(
    items: Sequence[Item],
    act: Callable[[Item], Result],
    *,
    what: str,
    label: Callable[[Item], str] = str,
    fail_on_error: bool = True,
) -> tuple[dict[Item, Result], dict[Item, EmnifyError]]:
    """Do something to one after another; one that emnify refuses keeps no other from it.

    What concerns all of them (no access, no connection) ends it, and so does one whose
    outcome is unknown.

    :param what: What is being done, for messages: ``set the quota of endpoint``.
    :param label: How a message names one.
    :param fail_on_error: Whether one that emnify refuses is an error when all others are done.
    :returns: What came of those that were done, and those that emnify refused, with its reason.
    :raises EmnifyPartialError: with what was done and what was not.
    """
    done: dict[Item, Result] = {}
    refused: dict[Item, EmnifyError] = {}
    for number, item in enumerate(items):
        try:
            done[item] = act(item)
        except EmnifyError as error:
            of_it_alone = isinstance(error, EmnifyNetworkStateError)
            if (error.transient and not of_it_alone) or isinstance(error, _ENDS_IT):
                left = {**refused, **dict.fromkeys(items[number:], error)}
                raise _partial(items, left, label, what, [error]) from error
            refused[item] = error
    if refused and fail_on_error:
        raise _partial(items, refused, label, what, [*refused.values()])
    return done, refused


def _partial(
    items: Sequence[Item],
    failed: dict[Item, EmnifyError],
    label: Callable[[Item], str],
    what: str,
    causes: Sequence[EmnifyError],
) -> EmnifyPartialError:
    """Return the error that says what was done and what was not."""
    made = EmnifyPartialError(
        f"could not {what} {label(next(iter(failed)))}: {causes[0]}",
        done=[label(item) for item in items if item not in failed],
        not_done=[label(item) for item in failed],
    )
    made.transient = all(cause.transient for cause in causes)
    return made
