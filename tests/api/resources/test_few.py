"""Few ids of many are read in the fewest requests: one by one, or from the pages of the list."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_emnify.api import EmnifyNotFoundError
from airflow_provider_emnify.api.resources.few import find_in_list, read_rows
from airflow_provider_emnify.api.transport.paging import Listing, Page


class Fleet:
    """A fleet of so many endpoints, 1,000 a page, that counts the requests."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.pages = 0
        self.reads = 0

    def page(self, number: int) -> Page:
        self.pages += 1
        last = max(-(-self.count // 1000), 1)
        number = min(number, last)
        rows = range((number - 1) * 1000 + 1, min(number * 1000, self.count) + 1)
        return Page([{"id": key} for key in rows], number, last, self.count)

    def get(self, key: int) -> dict[str, Any]:
        self.reads += 1
        if key > self.count:
            raise EmnifyNotFoundError("no such endpoint", status=404)
        return {"id": key}

    def read(self, *ids: int) -> list[int]:
        return sorted(read_rows(ids, get=self.get, list_all=lambda: Listing(self.page)))


@pytest.mark.parametrize(
    ("fleet", "ids", "reads", "pages"),
    [
        (100_000, 6, 6, 0),
        (100_000, 30, 30, 1),
        (20_000, 10_000, 0, 20),
        (5_000, 7, 0, 5),
        (7_000, 7, 7, 1),
        (10, 7, 0, 1),
    ],
)
def test_ids_are_read_in_the_fewest_requests(fleet: int, ids: int, reads: int, pages: int) -> None:
    there = Fleet(fleet)
    assert there.read(*range(1, ids + 1)) == list(range(1, ids + 1))
    assert (there.reads, there.pages) == (reads, pages)


@pytest.mark.parametrize("count", [3, 20])
def test_what_does_not_exist_is_left_out(count: int) -> None:
    assert Fleet(count).read(*range(1, count + 5)) == list(range(1, count + 1))


def test_the_reading_of_a_list_ends_when_all_are_found() -> None:
    there = Fleet(100_000)
    there.read(*range(99_001, 99_501), *range(1, 1))
    assert there.pages <= 2


def test_what_has_several_names_is_found_by_each() -> None:
    rows = [{"id": key, "name": f"n{key}"} for key in range(1, 11)]
    wanted = [*(f"n{key}" for key in range(1, 8)), 3, "n99"]
    found = find_in_list(
        wanted,
        list_all=lambda: Listing(lambda _: Page(rows, 1, 1, 10)),
        ids_of=lambda row: (row["id"], row["name"]),
    )
    assert found is not None
    assert {key for key, _ in found} == {*wanted} - {"n99"}
