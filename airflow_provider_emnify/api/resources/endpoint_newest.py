"""The endpoints that came last: what was created a moment ago is among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.transport.answers import Shape
from airflow_provider_emnify.api.transport.page import BEYOND
from airflow_provider_emnify.api.transport.request import Request
from airflow_provider_emnify.api.types import Row, Rows

if TYPE_CHECKING:
    from airflow_provider_emnify.api.transport.transport import Transport


def created_from_now(transport: Transport, list_all: Callable[[], Iterable[Row]]) -> Callable[[], Rows]:
    """Return what reads the endpoints that come from now on: their ids are higher than any that there is.

    :param list_all: Lists the newest first.
    """
    query, shape = {"page": BEYOND, "per_page": 1}, Shape("list", int)
    last: Rows = transport.send(Request("GET", "/api/v1/endpoint", query=query, shape=shape)).body
    newest = max((int(row["id"]) for row in last), default=0)

    def newer() -> Rows:
        return [*takewhile(lambda row: int(row["id"]) > newest, list_all())]

    return newer
