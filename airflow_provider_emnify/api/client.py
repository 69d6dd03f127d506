"""EmnifyClient: the resources of the emnify REST API, on a transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, Unpack

from airflow_provider_emnify.api.locks import LOCK_TIMEOUT, Lock
from airflow_provider_emnify.api.resources import Resources
from airflow_provider_emnify.api.resources.graphql import (
    GRAPHQL,
    MOST_ROWS,
    check_all_pages,
    data_of,
    is_mutation,
    read_all_pages,
)
from airflow_provider_emnify.api.transport.request import Request
from airflow_provider_emnify.api.transport.transport import Options, Transport

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow_provider_emnify.api.transport.answers import Shape
    from airflow_provider_emnify.api.transport.credentials import Credentials
    from airflow_provider_emnify.api.transport.sending import ClientStats


class EmnifyClient(Resources):
    """The emnify REST API. Safe to use from several threads; close it, or use it in a ``with``.

    There is an attribute for each resource (``client.endpoints.list(status="enabled")``), and
    :meth:`request` for anything else.

    :param credentials: An application token, or a user's name and password.
    :param base_url: Where the API is. Plain ``http://`` is for a loopback host only.
    :param timeout: Seconds to wait for an answer.
    :param max_retries: How often a request is sent again, at most.
    :param limits: The rate limits to keep; by default those of this host.
    :param token_cache: Shares auth tokens with the other processes of this host; by default none does.
    :param user_agent: What to tell the API that it is talked to by.
    :param route: A proxy, certificates and headers, instead of what the environment says.
    :param on_secret: Called with every secret as soon as it is known, so that a log can mask it.
    :param on_metric: Called with what is counted in :attr:`stats`: its name and by how much it grew.
    :param sleep: How to wait, in seconds.
    :param clock: A clock in seconds that only goes forward.
    :raises ValueError: when ``base_url`` is none, or would send secrets in the clear.
    """

    def __init__(self, credentials: Credentials, **options: Unpack[Options]) -> None:
        super().__init__(Transport(credentials, **options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"EmnifyClient({self.transport.base_url})"

    def close(self) -> None:
        """End what is under way in other threads, and close the connections. It sends no more."""
        self.transport.close()

    def abort(self) -> None:
        """End what is under way in other threads, without waiting for anything. It sends no more."""
        self.transport.abort()

    @property
    def stats(self) -> ClientStats:
        """What this client has done so far."""
        return self.transport.stats

    def authenticate(self) -> None:
        """Get an auth token, unless a good one is held.

        :raises EmnifyAuthenticationError: when the credentials are rejected.
        """
        self.transport.tokens.token()

    def token_info(self) -> dict[str, Any]:
        """Return what the auth token says, decoded on the spot and free of secrets.

        Gets one if none is held. See
        :meth:`~airflow_provider_emnify.api.transport.auth_token.AuthToken.info`.
        """
        return self.transport.tokens.token().info()

    def lock(
        self, name: str, key: object = "", *, timeout: float = LOCK_TIMEOUT
    ) -> AbstractContextManager[Lock]:
        """Keep others out while several calls belong together: to look and then write, for example.

        A lock is shared by those that use the same organisation, name and key, and a store of the rate limits
        (``rate_limit_store``): all processes of a host, or all workers with one Redis. It ends with the
        process that holds it (in Redis within a minute). When the store fails, it is one of this process
        alone, and a warning says so. A wait of more than ten seconds is logged, once a minute.

        .. code-block:: python

            with client.lock("top-ups", endpoint_id) as lock:
                if lock.held_since(begun):  # another one may have done the same meanwhile
                    ...

        :param name: What is done under it, in a few words.
        :param key: What it is done to, where each has a lock of its own.
        :param timeout: Seconds to wait for it, at most.
        :returns: A context manager, which gives the :class:`~airflow_provider_emnify.api.locks.Lock`.
        :raises EmnifyLockTimeoutError: on entering, when another one holds it for longer.
        :raises ValueError: on entering, when the timeout is no number of seconds, or below 0.
        :raises RuntimeError: on entering, when this thread holds a lock already: it could wait for itself.
        """
        return self.transport.lock(name, key, timeout=timeout)

    def request(
        self,
        method: str,
        path: str,
        *,
        path_params: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        idempotent: bool | None = None,
        shape: Shape | None = None,
    ) -> Any:
        """Call an operation and return the JSON of its answer; None when it has no body.

        :param method: HTTP method.
        :param path: Path from ``/api`` on, with ``{names}`` for what stands in ``path_params``.
        :param path_params: Values for the path; they are percent-encoded.
        :param params: Query; None values are left out, booleans are written as emnify does.
        :param json: Body.
        :param idempotent: Whether sending it twice is the same as sending it once. By default GET, PUT,
            PATCH and DELETE are, POST is not.
        :param shape: What the answer must hold; by default a GET must be answered with some JSON, or a 204.
        :raises EmnifyError: the kind that says what went wrong.
        """
        request = Request(method, path, path_params, params, json, idempotent, shape)
        if self.transport.on_call is not None:
            self.transport.on_call(str(request))
        return self.transport.send(request).body

    def graphql(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        allow_partial: bool = False,
        all_pages: str | None = None,
        max_rows: int = MOST_ROWS,
    ) -> Any:
        """Run a GraphQL query and return its ``data``.

        The schema is emnify's and changes without notice: queries are the caller's own. One without the word
        ``mutation`` may be sent again.

        :param query: The query.
        :param variables: Its variables.
        :param allow_partial: Return the data of an answer that holds errors beside them, and log the errors.
        :param all_pages: Name of a list in the data, ``users``, of which all pages are read into its
            ``items``. The query takes ``$page``, and asks for ``items { id ... } meta { count pages }``.
        :param max_rows: With ``all_pages``: the most items that the list may have.
        :raises ValueError: for ``all_pages``, when the query lacks one of these, or the list has more rows.
        :raises EmnifyGraphqlError: when the answer holds ``errors``, with a 200; its ``data`` is what
            came beside them.
        :raises EmnifyServerError: when a query's answer holds neither; a mutation's is of unknown outcome.
        """
        idempotent = not is_mutation(query)
        if self.transport.on_call is not None:
            self.transport.on_call(f"graphql with {', '.join(variables or ()) or 'no'} variables")

        def ask(values: Mapping[str, Any]) -> Any:
            json = {"query": query, "variables": dict(values)}
            answer = self.transport.send(Request("POST", GRAPHQL, body=json, idempotent=idempotent))
            redact = self.transport.redact
            return data_of(answer, allow_partial=allow_partial, idempotent=idempotent, redact=redact)

        if all_pages is None:
            return ask(variables or {})
        check_all_pages(query, variables or {}, all_pages)
        return read_all_pages(ask, variables or {}, all_pages, max_rows)
