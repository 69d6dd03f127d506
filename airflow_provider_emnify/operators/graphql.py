"""EmnifyGraphqlOperator: a query to emnify's GraphQL API as a task."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api.resources.graphql import MOST_ROWS, check_all_pages, is_mutation
from airflow_provider_emnify.api.secrets.names import hide_secrets
from airflow_provider_emnify.api.values import parse_bool
from airflow_provider_emnify.arguments import (
    Argument,
    MaskedArguments,
    is_known,
    optional,
    parse_count,
    parse_mapping,
    parse_text,
    refuse_secrets,
)
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, at_most_once

_MEND = "Send the query inside a task, EmnifyHook().get_conn().graphql(...)"
_LITERAL = re.compile(r'(?:(\w+)\s*:\s*)?(?:"""(.*?)"""|"((?:[^"\\]|\\.)*)")', re.DOTALL)
_NAME = re.compile(r"^\s*(query|mutation|subscription)\s+(\w+)", re.MULTILINE)


def _query(value: Any, field: str) -> str:
    """Return the query.

    :raises ValueError: for what is none, and for a secret that stands in it.
    """
    query = parse_text(value, field)
    literals = [{found[1] or "a text": found[2] or found[3]} for found in _LITERAL.finditer(query)]
    refuse_secrets(field, literals, _MEND)
    return query


def _variables(value: Any, field: str) -> dict[str, Any]:
    """Return the variables of a query.

    :raises ValueError: for what is not a dict, and for secrets.
    """
    variables = parse_mapping(value, field)
    refuse_secrets(field, variables, _MEND)
    return variables


class EmnifyGraphqlOperator(EmnifyBaseOperator):
    """Run a GraphQL query and return its data.

    emnify's schema is its own and changes without notice: what a query may ask for is for emnify to say.
    Arguments and results of a task are stored in clear text, so neither must hold a secret; make such a
    query with ``EmnifyHook().get_conn().graphql(...)`` inside a task. Variables that sound secret are
    refused, and so is a text of this kind that stands in the query itself (``password: "..."``); what hides
    behind another name there is not found.

    A mutation is sent once: not again when its answer is lost, nor by another try of a task whose worker has
    died; the error says what to check. Airflow 3.3 and later let a task try again that is known to have done
    nothing; before, a mutation that could not be sent fails the task. Who clears the task sends it again. Of
    two runs that send the same mutation with the same variables at once, the later one fails.

    .. code-block:: python

        EmnifyGraphqlOperator(
            task_id="me",
            query="query Me { myUser { username organisation { name } } }",
        )

    :param query: The query (templated), or the path of a ``.graphql`` or ``.gql`` file that holds it.
    :param variables: Its variables by name (templated). Prefer them to templates in the query: they need no
        quoting.
    :param idempotent: Whether each try may send the query, whatever came of an earlier one or of another run.
        By default one without the word ``mutation`` may.
    :param allow_partial: Return the data of an answer that holds errors beside them, and log the errors
        (default False).
    :param all_pages: Name of a list in the data, of which all pages are read into its ``items``. The query
        takes ``$page``, and asks for the list's ``items`` and ``meta { count pages }``::

            query ($page: Int) {
              users(page: $page, per_page: 100) { items { id username } meta { count pages } }
            }

    :param max_rows: With ``all_pages``: the most items that the list may have (default 10,000).
    :param emnify_conn_id: The connection to emnify.
    :returns: The ``data`` of the answer, with ``***`` for what looks like a secret.
    :raises ValueError: when the DAG is parsed, for a query that is empty, variables that are not a dict, and
        secrets in either.
    :raises AirflowFailException: for errors in the answer, which emnify sends as a success; for a mutation
        that an earlier try or another run may have sent; and for any other permanent error.

    Vendor page: https://docs.emnify.com/developers/api
    """

    template_ext: Sequence[str] = (".graphql", ".gql")
    template_fields_renderers: ClassVar[dict[str, str]] = {"variables": "json"}

    query = Argument(_query)
    variables = MaskedArguments(_variables)
    is_idempotent = Argument(optional(parse_bool), "idempotent", templated=False)
    allow_partial = Argument(parse_bool, templated=False)
    all_pages = Argument(optional(parse_text), templated=False)
    max_rows = Argument(parse_count, templated=False)

    def __init__(
        self,
        *,
        query: str,
        variables: Mapping[str, Any] | None = None,
        idempotent: bool | None = None,
        allow_partial: bool = False,
        all_pages: str | None = None,
        max_rows: int = MOST_ROWS,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        if all_pages is not None and is_known(query) and not query.endswith(tuple(self.template_ext)):
            check_all_pages(query, variables if isinstance(variables, Mapping) else {}, all_pages)

    def execute(self, context: Context) -> Any:
        """Send the query."""
        query, variables = self.query, self.variables
        named = _NAME.search(query)
        self.log.info(
            "Sending GraphQL %s%s",
            f"{named[1]} {named[2]}" if named else "query",
            f" with {', '.join(variables)}" if variables else "",
        )
        how = {name: getattr(self, name) for name in ("allow_partial", "all_pages", "max_rows")}

        def send() -> Any:
            return self.client.graphql(query, variables, **how)

        if self.is_idempotent or (self.is_idempotent is None and not is_mutation(query)):
            return hide_secrets(send())
        what = f"GraphQL mutation{f' {named[2]}' if named else ''} with {variables!r}: {query}"
        return hide_secrets(at_most_once(Attempt(self, context), send, what=what, check="with a query"))
