"""Many writes one after another: which were done, and which emnify refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_emnify.api import (
    EmnifyAuthenticationError,
    EmnifyError,
    EmnifyNetworkStateError,
    EmnifyPartialError,
    EmnifyPermissionError,
    EmnifyUnknownOutcomeError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Item = TypeVar("Item")

_ENDS_IT = (EmnifyAuthenticationError, EmnifyPermissionError, EmnifyUnknownOutcomeError)


def each(
    items: Sequence[Item], act: Callable[[Item], None], *, label: Callable[[Item], str], what: str
) -> dict[Item, EmnifyError]:
    """Do something to one after another, and return those that emnify refused, with its reason.

    What concerns all of them (no access, no connection) ends it, and so does one of which nobody knows
    whether it was done.

    :param label: How a message names one.
    :param what: What is being done, for messages: ``reset endpoint``.
    :raises EmnifyPartialError: from such an error, with what was done and what was not.
    """
    refused: dict[Item, EmnifyError] = {}
    for number, item in enumerate(items):
        try:
            act(item)
        except EmnifyError as error:
            of_it_alone = isinstance(error, EmnifyNetworkStateError)
            if (error.transient and not of_it_alone) or isinstance(error, _ENDS_IT):
                left = {**refused, **dict.fromkeys(items[number:], error)}
                raise partial(items, left, label=label, what=what, error=error) from error
            refused[item] = error
    return refused


def partial(
    items: Iterable[Item],
    failed: dict[Item, Any],
    *,
    label: Callable[[Item], str],
    what: str,
    error: EmnifyError | None = None,
) -> EmnifyPartialError:
    """Return the error that says what was done and what was not."""
    first, why = next(iter(failed.items()))
    made = EmnifyPartialError(
        f"could not {what} {label(first)}: {why if error is None else error}",
        done=[label(item) for item in items if item not in failed],
        not_done=[label(item) for item in failed],
    )
    causes = failed.values() if error is None else [error]
    made.transient = all(getattr(cause, "transient", False) for cause in causes)
    return made


def for_each(items: Sequence[Item], act: Callable[[Item], None], *, what: str) -> None:
    """Do something to one after another; one that emnify refuses keeps no other from it.

    :param what: What is being done, for messages: ``set the quota of endpoint``.
    :raises EmnifyPartialError: when one of them was not done, with what was done and what was not.
    """
    refused = each(items, act, label=str, what=what)
    if refused:
        raise partial(items, refused, label=str, what=what)
