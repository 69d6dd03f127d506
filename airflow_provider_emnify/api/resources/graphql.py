"""GraphQL queries, as far as they are known without emnify's schema, which changes without notice.

Their answers, and all pages of a list that they ask for: whole, or an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_emnify.api.errors import (
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
    EmnifyValidationError,
    IncompleteListError,
)
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.transport.bodies import Answer
from airflow_provider_emnify.api.transport.page import count_of
from airflow_provider_emnify.api.types import Row

log = one_line_log(__name__)

GRAPHQL = "/graphql"

MOST_ROWS = 10_000
"""Rows that a list may have, unless the caller allows more."""

_TRIES = 3  # readings of a list that changes meanwhile
_ASKED = "(...) { items { ... } meta { count pages } }"


class EmnifyGraphqlError(EmnifyValidationError):
    """A GraphQL answer with errors. ``data`` is what came beside them, None if nothing did."""

    data: Any = None


class _ChangedError(Exception):
    """Pages do not fit together."""


def is_mutation(query: str) -> bool:
    """Tell whether a query may change something: anything with that word is taken for one."""
    return re.search(r"\bmutation\b", query) is not None


def data_of(answer: Answer, *, allow_partial: bool, idempotent: bool, redact: Callable[[str], str]) -> Any:
    """Return the data of an answer.

    :param allow_partial: Also when errors came beside them.
    :param idempotent: Whether the query may be sent again: saying nothing is then a server error.
    :param redact: Takes secrets out of a text.
    :raises EmnifyGraphqlError: for errors in the answer.
    """
    body = answer.body
    errors = body.get("errors") if isinstance(body, dict) else None
    call: dict[str, Any] = {"status": answer.status, "method": "POST", "path": GRAPHQL}
    if errors:
        listed = errors if isinstance(errors, list) else [errors]
        texts = (error.get("message") or error if isinstance(error, dict) else error for error in listed)
        why = redact(f"GraphQL: {'; '.join(map(str, texts))}")
        data = body.get("data")
        if allow_partial and data is not None:
            log.warning("%s. The data that came beside it are used", why)
            return data
        error = EmnifyGraphqlError(why, details=listed, **call)
        error.data = data
        raise error
    if isinstance(body, dict) and "data" in body:
        return body["data"]
    kind = EmnifyServerError if idempotent else EmnifyUnknownOutcomeError
    raise kind("GraphQL: the answer holds neither data nor errors. Look whether a mutation was done", **call)


def check_all_pages(query: str, variables: Mapping[str, Any], name: str) -> None:
    """Refuse a query whose pages cannot be asked for.

    :param name: Where the list stands in the data, ``users`` or ``myOrganisation.users``.
    :raises ValueError: naming what the query lacks.
    """
    if not isinstance(name, str) or not all(re.fullmatch(r"[_A-Za-z]\w*", part) for part in name.split(".")):
        raise ValueError(f"all_pages: {name!r} is not a name of a list in the data; give one like 'users'")
    if is_mutation(query):
        raise ValueError("all_pages: a mutation is sent once, and has no pages")
    if "page" in variables:
        raise ValueError("variables: all_pages counts 'page' itself; leave it out")
    if not re.search(r"\$page\s*:", query):
        raise ValueError(
            "all_pages: the query lacks the variable $page; declare it: query ($page: Int) { ... }"
        )
    if not re.search(r"\bpage\s*:\s*\$page\b", query):
        raise ValueError(f"all_pages: the query does not use $page; write {name}(page: $page)")


def read_all_pages(ask: Callable[[Row], Any], variables: Mapping[str, Any], name: str, max_rows: int) -> Any:
    """Return the data of the first page, with the items of all pages in the list.

    :param ask: Runs the query with these variables, and returns its data.
    :param max_rows: The most items that the list may have.
    :raises ValueError: when it has more, or the query does not ask for what is needed.
    :raises IncompleteListError: when it does not come as a whole.
    """
    why = ""
    for _ in range(_TRIES):
        try:
            return _read_once(ask, variables, name, max_rows)
        except _ChangedError as error:
            why = str(error)
    raise IncompleteListError(
        f"GraphQL: {name}: the list could not be read as a whole: {why}. Try again",
        method="POST",
        path=GRAPHQL,
    )


def _read_once(ask: Callable[[Row], Any], variables: Mapping[str, Any], name: str, max_rows: int) -> Any:
    data = ask({**variables, "page": 1})
    first = _list_in(data, name)
    items, before = list(first["items"]), first["items"]
    count, pages = _number(first, "count", name), _number(first, "pages", name)
    if count > max_rows:
        raise ValueError(
            f"all_pages: {name} has {count} rows, more than max_rows ({max_rows}). Filter it, or raise that"
        )
    for number in range(2, pages + 1):
        page = _list_in(ask({**variables, "page": number}), name)
        if (_number(page, "count", name), _number(page, "pages", name)) != (count, pages):
            raise _ChangedError("its count changed while it was read")
        rows = page["items"]
        if not rows:
            raise _ChangedError(f"page {number} is empty")
        if rows == before and len(rows) > 1:
            raise _ChangedError(f"page {number} is the same as the one before; does the query ask for ids?")
        items += rows
        before = rows
        if len(items) > count:
            break
    ids = [row["id"] for row in items if isinstance(row, dict) and row.get("id") is not None]
    if len(items) != count or len(set(map(str, ids))) != len(ids):
        raise _ChangedError(f"emnify counts {count} rows, and sends {len(items)}, {len(ids)} with an id")
    first["items"] = items
    return data


def _list_in(data: Any, name: str) -> Row:
    """Return the list within the data of an answer."""
    found = data
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            raise ValueError(f"all_pages: there is no {name} in the data; the query must ask for it")
        found = found[part]
    if found is None:
        raise _ChangedError("it came as null")
    if not isinstance(found, dict) or "items" not in found:
        raise ValueError(f"all_pages: the query does not ask for items; write {name}{_ASKED}")
    if not isinstance(found["items"], list):
        raise _ChangedError("its items are not a list")
    return found


def _number(found: Row, field: str, name: str) -> int:
    meta = found.get("meta")
    if not isinstance(meta, dict) or field not in meta:
        raise ValueError(f"all_pages: the query does not ask for meta {{ {field} }}; write {name}{_ASKED}")
    if (number := count_of(meta[field])) is None:
        raise _ChangedError(f"its {field} is {str(meta[field]).strip()[:20]!r}")
    return number
