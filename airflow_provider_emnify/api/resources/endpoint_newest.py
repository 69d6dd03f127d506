"""The endpoints that came last: what was created a moment ago is among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emnify.api.transport.answers import Shape
from airflow_provider_emnify.api.transport.page import BEYOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_emnify.api.client import EmnifyClient
    from airflow_provider_emnify.api.resources.fields import Row, Rows


def newest_id(client: EmnifyClient) -> int:
    """Return the highest id there is: endpoints with a higher one came later."""
    last: Rows = client.request(
        "GET",
        "/api/v1/endpoint",
        params={"page": BEYOND, "per_page": 1},
        shape=Shape("list", int),
    )
    return max((int(row["id"]) for row in last), default=0)


def newer_than(list_all: Callable[[], Iterable[Row]], newest: int) -> Rows:
    """Return the endpoints that came after the one of that id.

    :param list_all: Lists the newest first.
    """
    newer: Rows = []
    for row in list_all():  # the newest first
        if int(row["id"]) <= newest:
            break
        newer.append(row)
    return newer
