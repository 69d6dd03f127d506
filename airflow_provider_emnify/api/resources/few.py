"""Reading some of many in the fewest requests: one by one, or from the pages of the list; by id or name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from airflow_provider_emnify.api.errors import EmnifyNotFoundError, EmnifyServerError, one_line
from airflow_provider_emnify.api.transport.answers import is_id
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
    """Find rows in the list of all; None where reading them one by one takes as few requests.

    :param ids: The ids to find.
    :param list_all: Lists all.
    :param ids_of: The ids of a row; more than one where a thing has several names.
    """
    listing = listing_if_cheaper(ids, list_all)
    return None if listing is None else _find(listing, set(ids), ids_of)


def listing_if_cheaper(ids: Sequence[object], list_all: Callable[[], Listing]) -> Listing | None:
    """Return the list of all; None where it has as many pages as there are ids.

    Its first answer, which is also its last page, tells how many pages it has.
    """
    if len(ids) <= FEW:
        return None
    listing = list_all()
    if listing.pages < len(ids):
        return listing
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


def find_by_name(rows: Iterable[Row], name: str | None, what: str) -> Row | None:
    """Return the one of a name, None when there is none.

    :param what: What they are, for the message.
    :raises ValueError: when there are several.
    :raises EmnifyServerError: when none has it, and one of them came without a name: it could be meant.
    """
    if name is None:
        return None
    rows = [*rows]
    named = [row for row in rows if row.get("name") == name]
    nameless = [row.get("id") for row in rows if not isinstance(row.get("name"), str)]
    if nameless and not named:
        raise EmnifyServerError(f"which {what} is named {name!r} is unknown: {nameless} came without a name")
    if len(named) > 1:
        ids = one_line(", ".join(str(row.get("id")) for row in named))
        raise ValueError(
            f"{what}s {ids} are all named {name!r}; nothing was done. Delete or rename all but one"
        )
    return named[0] if named else None


def find_by_id_or_name(rows: Sequence[Row], wanted: str, what: str, also: str | None = None) -> Row | None:
    """Return the one of an id, else of a name, else of ``also``: an earlier try may have renamed it.

    :param what: What they are, for the message.
    :raises ValueError: when several have the name.
    """
    by_id = next((row for row in rows if str(row.get("id")) == wanted), None)
    return by_id or find_by_name(rows, wanted, what) or find_by_name(rows, also, what)
