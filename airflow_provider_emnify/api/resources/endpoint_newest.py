"""The endpoints that came last: what was created a moment ago is among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.transport.answers import Shape
from airflow_provider_emnify.api.transport.page import BEYOND
from airflow_provider_emnify.api.transport.request import Request
from airflow_provider_emnify.api.types import Row, Rows

if TYPE_CHECKING:
    from airflow_provider_emnify.api.transport.transport import Transport


def newest_id(transport: Transport) -> int:
    """Return the highest id there is: endpoints with a higher one came later."""
    query, shape = {"page": BEYOND, "per_page": 1}, Shape("list", int)
    last: Rows = transport.send(Request("GET", "/api/v1/endpoint", query=query, shape=shape)).body
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
