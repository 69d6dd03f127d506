"""Transport: the one place through which every request goes, with an auth token and one session.

It is what the resources stand on. A 401 has the request sent once more, with a new token; everything else
about sending is :class:`~airflow_provider_emnify.api.transport.sending.Sender`'s.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

from airflow_provider_emnify.api.errors import (
    EmnifyAuthenticationError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
)
from airflow_provider_emnify.api.limits.limits import Limits
from airflow_provider_emnify.api.locks import LOCK_TIMEOUT, Lock
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.secrets.redaction import Redactor
from airflow_provider_emnify.api.transport.answers import JSON, Shape, created_id
from airflow_provider_emnify.api.transport.auth import AUTHENTICATE, TokenSource
from airflow_provider_emnify.api.transport.bodies import Answer
from airflow_provider_emnify.api.transport.paging import Listing, Page
from airflow_provider_emnify.api.transport.recover import recover
from airflow_provider_emnify.api.transport.sending import Sender
from airflow_provider_emnify.api.transport.urls import DEFAULT_BASE_URL, Route, check_base_url
from airflow_provider_emnify.api.types import Row

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow_provider_emnify.api.limits.documented import Limit
    from airflow_provider_emnify.api.transport.auth_token import AuthToken
    from airflow_provider_emnify.api.transport.credentials import Credentials
    from airflow_provider_emnify.api.transport.request import Request
    from airflow_provider_emnify.api.transport.token_cache import TokenCache

log = one_line_log(__name__)

_STRAIGHT = Route()
_transports: weakref.WeakSet[Transport] = weakref.WeakSet()


class Options(TypedDict, total=False):
    """The types of a transport's parameters, for who passes them on."""

    base_url: str
    timeout: float
    max_retries: int
    limits: Limits | None
    token_cache: TokenCache | None
    user_agent: str | None
    route: Route
    on_secret: Callable[[str], None] | None
    on_metric: Callable[[str, float], None] | None
    sleep: Callable[[float], None]
    clock: Callable[[], float]


class Transport:
    """Sends requests to emnify. Safe to use from several threads.

    Its parameters are those of :class:`~airflow_provider_emnify.api.client.EmnifyClient`.
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
        route: Route = _STRAIGHT,
        on_secret: Callable[[str], None] | None = None,
        on_metric: Callable[[str, float], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = check_base_url(base_url)
        redactor = Redactor()
        self._learn, self.redact, self.redact_value = redactor.learn, redactor.text, redactor.value
        for secret in route.secrets:
            self._learn(secret)
        self._on_secret = on_secret
        self.on_call: Callable[[str], None] | None = None
        self._organisation = credentials.identity
        self._limits = Limits(sleep=sleep) if limits is None else limits
        self._sender = Sender(
            self.base_url,
            timeout=timeout,
            max_retries=max_retries,
            limits=self._limits,
            user_agent=user_agent,
            route=route,
            redactor=redactor,
            on_metric=on_metric or (lambda _name, _amount: None),
            sleep=sleep,
        )
        self.stats, self.close, self.abort = self._sender.stats, self._sender.close, self._sender.abort
        self.tokens = TokenSource(
            credentials, self._exchange, clock, self.learn_secret, token_cache, sleep=sleep
        )
        _transports.add(self)

    def send(self, request: Request) -> Answer:
        """Send a request and return its answer.

        :raises EmnifyError: the kind that says what went wrong.
        """
        flow, acted = self.tokens.flow(), False
        token = next(flow)
        while True:
            try:
                return self._sender.send(request, token, self._organisation, acted=acted)
            except EmnifyAuthenticationError as error:
                acted = error.may_have_acted
                try:
                    token = flow.send(error)
                except StopIteration:
                    raise error from None
            log.info("%s was answered 401; sending it again with a new auth token", request)

    def create(
        self, request: Request, *, find: Callable[[], Row | None] | None = None, unique: bool = False
    ) -> Row:
        """Send a POST that creates something, and return that, with at least its ``id``.

        emnify answers with the thing itself, or with nothing but its ``Location``.

        :param request: The request; the type of the id is that of its ``shape``.
        :param find: Looks for the thing when the answer was lost; returns it, or None.
        :param unique: emnify itself refuses a second one, so it may be sent again when it is not found.
        :raises EmnifyUnknownOutcomeError: when the answer was lost and the thing is not found.
        """
        ids = request.promised.ids
        request = replace(request, shape=Shape("created", ids))
        try:
            answer = self.send(request)
        except EmnifyUnknownOutcomeError as lost:
            if find is None:
                raise
            if (found := recover(find, lost)) is not None:
                return found
            if not unique:
                raise
            answer = self.send(request)
        created: Row = dict(answer.body) if isinstance(answer.body, dict) else {}
        created["id"] = created_id(answer.headers, answer.body, ids)
        return created

    def list(
        self,
        request: Request,
        *,
        q: str | None = None,
        sort: str | None = None,
        per_page: int | None = None,
        envelope: bool = False,
        paged: bool = True,
        may_be_empty: bool = False,
    ) -> Listing:
        """Return the rows of a list, lazily: newest first, or in the order that ``sort`` asks for.

        See :mod:`airflow_provider_emnify.api.transport.paging` for what is promised while the list
        changes. A list that does not come as a whole is an :class:`EmnifyServerError`, on whatever row
        that is found out.

        :param request: The request for it, without page, filter and order.
        :param q: Filter in emnify's form, ``field:value,field:value``.
        :param sort: Fields to sort by, ``-name,id``.
        :param per_page: Rows a page; the API cuts what is too much.
        :param envelope: The list has the form ``{total, page, page_size, last_page, data}``.
        :param paged: It comes in pages; else in one answer, and one thing is a list of it.
        :param may_be_empty: It is just empty, without a word on pages, where an id in its path is unknown.
        """
        name = f"GET {request.template}"
        if not paged:
            return Listing(lambda _: _page_of(self.send(request), request), paged=False, name=name)
        in_id_order = sort in {None, "id", "+id"} and not envelope
        listed = replace(request.promised, kind="page" if envelope else "list")
        shape = listed if request.pick is None else JSON
        size = "page_size" if envelope else "per_page"
        query = {**(request.query or {}), "q": q, "sort": sort or ("id" if in_id_order else None)}

        def fetch(number: int, rows: int | None = per_page) -> Page:
            page = replace(request, query={**query, "page": number, size: rows}, shape=shape)
            return _page_of(self.send(page), page, envelope=envelope)

        return Listing(
            fetch,
            newest_first=in_id_order,
            filtered=q is not None,
            per_page=per_page,
            fetch_sized=fetch,
            may_be_empty=may_be_empty,
            name=name,
        )

    def lock(
        self, name: str, key: object = "", *, timeout: float = LOCK_TIMEOUT
    ) -> AbstractContextManager[Lock]:
        """See :meth:`~airflow_provider_emnify.api.client.EmnifyClient.lock`."""
        organisation = self.tokens.token().info()["organisation_id"]
        whose = self._organisation if organisation is None else f"organisation {organisation}"
        scope = f"{urlsplit(self.base_url).netloc} {whose}"
        return self._limits.locks.hold(name, key, scope=scope, timeout=timeout)

    def limits_used(self) -> tuple[str, Sequence[tuple[Limit, int]]]:
        """Return the store of the rate limits, and how much of each is used by all who share it."""
        host = urlsplit(self.base_url).netloc
        return self._limits.store, self._limits.used(host=host, organisation=self._organisation)

    def learn_secret(self, secret: str) -> None:
        """Register a secret: no error of this transport shows it, and ``on_secret`` is called with it."""
        self._learn(secret)
        if self._on_secret is not None:
            self._on_secret(secret)

    def after_fork(self) -> None:
        """Replace, in a child process, the connections, locks and files of the parent."""
        self._sender.after_fork()
        self.tokens.after_fork()

    def _exchange(self, request: Request, token: AuthToken | None) -> Any:
        """Send one authentication request and return the JSON of its answer."""
        if request.template == AUTHENTICATE:
            self._sender.count("authentications")
        return self._sender.send(request, token, self._organisation).body


def _page_of(answer: Answer, request: Request, *, envelope: bool = False) -> Page:
    """Return the page of a list that an answer holds.

    :raises EmnifyServerError: when it holds none.
    """
    try:
        if envelope:
            return Page.from_envelope(answer.body)
        if isinstance(answer.body, dict) and request.promised.kind != "list":
            return Page([answer.body])
        return Page.from_headers(answer.body, answer.headers)
    except TypeError as error:
        raise EmnifyServerError(
            str(error), status=answer.status, method=request.method, path=request.template
        ) from None


def _after_fork() -> None:
    for transport in list(_transports):
        transport.after_fork()


os.register_at_fork(after_in_child=_after_fork)
