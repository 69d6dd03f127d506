"""EmnifyClient: the emnify REST API, one session for it, and one place through which every request goes.

:meth:`EmnifyClient.send` puts the auth token on, renews it once after a 401, and leaves the sending to
:class:`~airflow_provider_emnify.api.transport.sending.Sender`.
"""

from __future__ import annotations

import os
import time
import weakref
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from airflow_provider_emnify.api.errors import (
    EmnifyAuthenticationError,
    EmnifyError,
    EmnifyUnknownOutcomeError,
)
from airflow_provider_emnify.api.limits.limits import Limits
from airflow_provider_emnify.api.locks import LOCK_TIMEOUT
from airflow_provider_emnify.api.resources import MAY_BE_EMPTY, UNPAGED, Resources
from airflow_provider_emnify.api.resources.graphql import GRAPHQL, data_of, is_mutation
from airflow_provider_emnify.api.resources.graphql_pages import MOST_ROWS, check_all_pages, read_all_pages
from airflow_provider_emnify.api.resources.operation import find_lost, page_of
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.secrets.redaction import Redactor
from airflow_provider_emnify.api.transport.answers import JSON, NOTHING, Shape, created_id
from airflow_provider_emnify.api.transport.auth import AUTHENTICATE, TokenSource
from airflow_provider_emnify.api.transport.paging import Listing
from airflow_provider_emnify.api.transport.sending import Sender
from airflow_provider_emnify.api.transport.urls import DEFAULT_BASE_URL, check_base_url, fill_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    from airflow_provider_emnify.api.locks import Lock
    from airflow_provider_emnify.api.transport.auth_token import AuthToken
    from airflow_provider_emnify.api.transport.bodies import Answer, Pick
    from airflow_provider_emnify.api.transport.credentials import Credentials
    from airflow_provider_emnify.api.transport.paging import Page
    from airflow_provider_emnify.api.transport.stats import ClientStats
    from airflow_provider_emnify.api.transport.token_cache import TokenCache

Row = dict[str, Any]

log = one_line_log(__name__)

_clients: weakref.WeakSet[EmnifyClient] = weakref.WeakSet()


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
    :param on_secret: Told every secret as soon as it is known, so that a log can mask it.
    :param on_metric: Told what is counted in :attr:`stats`: its name and by how much it grew.
    :param sleep: How to wait, in seconds.
    :param clock: A clock in seconds that only goes forward.
    :raises ValueError: when ``base_url`` is none, or would send secrets in the clear.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str = DEFAULT_BASE_URL,
        timeout: float = 30.0,
        max_retries: int = 5,
        limits: Limits | None = None,
        token_cache: TokenCache | None = None,
        user_agent: str | None = None,
        on_secret: Callable[[str], None] | None = None,
        on_metric: Callable[[str, float], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = check_base_url(base_url)
        self._redactor = Redactor()
        self._on_secret = on_secret
        self._organisation = credentials.identity
        self._limits = Limits(sleep=sleep) if limits is None else limits
        self._sender = Sender(
            self._base_url,
            timeout=timeout,
            max_retries=max_retries,
            limits=self._limits,
            user_agent=user_agent,
            redactor=self._redactor,
            on_metric=on_metric or (lambda _name, _amount: None),
            sleep=sleep,
        )
        self._tokens = TokenSource(
            credentials, self._exchange, clock, self.learn_secret, token_cache, sleep=sleep
        )
        super().__init__(self)
        _clients.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"EmnifyClient({self._base_url})"

    def close(self) -> None:
        """End what is under way in other threads, and close the connections. It sends no more."""
        self._sender.close()

    def abort(self) -> None:
        """End what is under way in other threads, without waiting for anything. It sends no more."""
        self._sender.abort()

    def _after_fork(self) -> None:
        self._sender.after_fork()
        self._tokens.after_fork()

    @property
    def stats(self) -> ClientStats:
        """What this client has done so far."""
        return self._sender.stats

    def authenticate(self) -> None:
        """Get an auth token, unless a good one is held.

        :raises EmnifyAuthenticationError: when the credentials are rejected.
        """
        self._tokens.token()

    def token_info(self) -> dict[str, Any]:
        """Return what the auth token says, decoded on the spot and free of secrets.

        Gets one if none is held. See :meth:`~airflow_provider_emnify.api.transport.auth.AuthToken.info`.
        """
        return self._tokens.token().info()

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
        :raises RuntimeError: on entering, when this thread holds a lock already: it could wait for itself.
        """
        organisation = self.token_info()["organisation_id"]
        whose = self._organisation if organisation is None else f"organisation {organisation}"
        scope = f"{urlsplit(self._base_url).netloc} {whose}"
        return self._limits.locks.hold(name, key, scope=scope, timeout=timeout)

    def request(
        self,
        method: str,
        path: str,
        *,
        path_params: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        repeatable: bool | None = None,
        shape: Shape | None = None,
    ) -> Any:
        """Call an operation and return the JSON of its answer; None when it has no body.

        :param method: HTTP method.
        :param path: Path from ``/api`` on, with ``{names}`` for what stands in ``path_params``.
        :param path_params: Values for the path; they are percent-encoded.
        :param params: Query; None values are left out, booleans are written as emnify does.
        :param json: Body.
        :param repeatable: Whether sending it twice is the same as sending it once. By default GET, PUT,
            PATCH and DELETE are, POST is not.
        :param shape: What the answer must hold; by default a GET must be answered with some JSON, or a 204.
        :raises EmnifyError: the kind that says what went wrong.
        """
        more: dict[str, Any] = {"repeatable": repeatable, "shape": shape}
        return self.send(method, path, path_params=path_params, params=params, json=json, **more).body

    def create(
        self,
        path: str,
        *,
        path_params: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any,
        find: Callable[[], Row | None] | None = None,
        unique: bool = False,
        ids: type[int] | type[str] | None = None,
    ) -> Row:
        """POST something new and return it, with at least its ``id``.

        emnify answers with the thing itself, or with nothing but its ``Location``.

        :param find: Looks for the thing when the answer was lost; returns it, or None.
        :param unique: emnify itself refuses a second one, so it may be sent again when it is not found.
        :param ids: The type of its id, where that is known.
        :raises EmnifyUnknownOutcomeError: when the answer was lost and the thing is not found.
        """
        shape = Shape("created", ids)
        try:
            answer = self.send("POST", path, path_params=path_params, params=params, json=json, shape=shape)
        except EmnifyUnknownOutcomeError as lost:
            if find is None:
                raise
            if (found := find_lost(find, lost)) is not None:
                return found
            if not unique:
                raise
            answer = self.send("POST", path, path_params=path_params, params=params, json=json, shape=shape)
        created: Row = dict(answer.body) if isinstance(answer.body, dict) else {}
        created["id"] = created_id(answer.headers, answer.body, ids)
        return created

    def list(
        self,
        path: str,
        *,
        path_params: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        q: str | None = None,
        sort: str | None = None,
        per_page: int | None = None,
        envelope: bool = False,
        pick: Pick | None = None,
        ids: type[int] | type[str] | None = None,
    ) -> Listing:
        """Return the rows of a list, lazily: newest first, or in the order that ``sort`` asks for.

        See :mod:`airflow_provider_emnify.api.transport.paging` for what is promised while the list
        changes. A list that does not come as a whole is an :class:`EmnifyServerError`, on whatever row
        that is found out.

        :param q: Filter in emnify's form, ``field:value,field:value``.
        :param sort: Fields to sort by, ``-name,id``.
        :param per_page: Rows a page; the API cuts what is too much.
        :param envelope: The list has the form ``{total, page, page_size, last_page, data}``.
        :param pick: Makes what is kept of each object in the answer, from the inside out. A large list of
            which little is wanted costs less so.
        :param ids: The type of the id that each row has, where it has one.
        """
        paged = path not in UNPAGED
        in_id_order = sort in {None, "id", "+id"} and not envelope and paged
        shape = JSON if pick is not None else Shape("page" if envelope else "list", ids)
        size = "page_size" if envelope else "per_page"
        query = {**(params or {}), "q": q, "sort": sort or ("id" if in_id_order else None)}

        def fetch(number: int, rows: int | None = per_page) -> Page:
            params = {**query, "page": number if paged else None, size: rows}
            answer = self.send("GET", path, path_params=path_params, params=params, pick=pick, shape=shape)
            return page_of(answer, path, envelope=envelope)

        return Listing(
            fetch,
            newest_first=in_id_order,
            filtered=q is not None,
            paged=paged,
            per_page=per_page,
            fetch_sized=fetch,
            may_be_empty=path in MAY_BE_EMPTY,
            name=f"GET {path}",
        )

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
        repeatable = not is_mutation(query)

        def ask(values: Mapping[str, Any]) -> Any:
            json = {"query": query, "variables": dict(values)}
            answer = self.send("POST", GRAPHQL, json=json, repeatable=repeatable)
            redact = self._redactor.text
            return data_of(answer, allow_partial=allow_partial, repeatable=repeatable, redact=redact)

        if all_pages is None:
            return ask(variables or {})
        check_all_pages(query, variables or {}, all_pages)
        return read_all_pages(ask, variables or {}, all_pages, max_rows)

    def send(
        self,
        method: str,
        path: str,
        *,
        path_params: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        repeatable: bool | None = None,
        pick: Pick | None = None,
        shape: Shape | None = None,
    ) -> Answer:
        """Call an operation and return its answer with status and headers. See :meth:`request`.

        :param pick: See :meth:`list`.
        :param shape: See :meth:`request`.
        """
        path = fill_path(path, path_params)
        if repeatable is None:
            repeatable = method != "POST"

        def send(token: AuthToken) -> Answer:
            return self._sender.send(
                method,
                path,
                params=params,
                json=json,
                token=token,
                organisation=self._organisation,
                repeatable=repeatable,
                pick=pick,
                shape=shape or (JSON if method == "GET" else NOTHING),
            )

        token = self._tokens.token()
        try:
            return send(token)
        except EmnifyAuthenticationError as error:
            if error.status != 401:  # noqa: PLR2004 - HTTP's own number
                raise
        log.info("%s %s answered 401; sending it again with a new auth token", method, path)
        # A 401 was not acted on, so any request may be sent once more with a new token.
        return send(self._tokens.renew(token))

    def _exchange(
        self,
        path: str,
        body: dict[str, Any],
        token: AuthToken | None,
        *,
        repeatable: bool,
        check: Callable[[Answer | EmnifyError], None],
    ) -> Any:
        """Send one authentication call and return the JSON of its answer."""
        if path == AUTHENTICATE:
            self._sender.count("authentications")
        more: dict[str, Any] = {"organisation": self._organisation, "repeatable": repeatable, "check": check}
        return self._sender.send("POST", path, json=body, token=token, **more).body

    def learn_secret(self, secret: str) -> None:
        """Take note of a secret: no error of this client shows it, and whoever masks secrets is told it."""
        self._redactor.learn(secret)
        if self._on_secret is not None:
            self._on_secret(secret)


def _let_go() -> None:
    """In a child process: connections, locks and files are the parent's."""
    for client in list(_clients):
        client._after_fork()


os.register_at_fork(after_in_child=_let_go)
