"""What is known of GraphQL queries without emnify's schema, which is its own and changes without notice."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from airflow_provider_emnify.api.errors import (
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
    EmnifyValidationError,
)
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.transport.bodies import Answer

log = one_line_log(__name__)

GRAPHQL = "/graphql"


class EmnifyGraphqlError(EmnifyValidationError):
    """A GraphQL answer with errors. ``data`` is what came beside them, None if nothing did."""

    data: Any = None


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
