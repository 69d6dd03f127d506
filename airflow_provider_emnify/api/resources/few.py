"""Reading some of many by their ids in the fewest requests: one by one, or from the pages of the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from airflow_provider_emnify.api.errors import EmnifyNotFoundError
from airflow_provider_emnify.api.transport.answers import is_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_emnify.api.transport.paging import Listing
    from airflow_provider_emnify.api.types import Row

Key = TypeVar("Key", int, str, int | str)

FEW = 6
"""As many are read one by one without a look at the list: emnify's limits let 5 to 10 of them pass a page."""


def read_rows(
    ids: Sequence[int], *, get: Callable[[int], Row], list_all: Callable[[], Listing]
) -> dict[int, Row]:
    """Return the rows of those ids that exist, by id, in the fewest requests.

    :param ids: Ids.
    :param get: Reads one.
    :param list_all: Lists all.
    """
    listed = find_in_list(ids, list_all=list_all, ids_of=lambda row: (int(row["id"]),))
    if listed is not None:
        return dict(listed)
    rows: dict[int, Row] = {}
    for one in ids:
        try:
            rows[one] = get(one)
        except EmnifyNotFoundError:
            continue
    return rows


def find_in_list(
    ids: Sequence[Key], *, list_all: Callable[[], Listing], ids_of: Callable[[Row], Sequence[Key]]
) -> Iterator[tuple[Key, Row]] | None:
    """Find rows in the list of all; None where it has as many pages as there are ids.

    Its first answer, which is also its last page, tells how many pages it has.

    :param ids: The ids to find.
    :param list_all: Lists all.
    :param ids_of: The ids of a row; more than one where a thing has several names.
    """
    if len(ids) <= FEW:
        return None
    listing = list_all()
    if listing.pages < len(ids):
        return _find(listing, set(ids), ids_of)
    listing.close()
    return None


def _find(
    listing: Listing, wanted: set[Key], ids_of: Callable[[Row], Sequence[Key]]
) -> Iterator[tuple[Key, Row]]:
    left = set(wanted)
    with listing:
        for row in listing:
            if not isinstance(row, dict) or not is_id(row.get("id"), int):
                continue  # it says nothing of any
            for key in ids_of(row):
                if key in left:
                    left.discard(key)
                    yield key, row
            if not left:
                return
