"""How one request is sent: within the rate limits, with retries; and what its answer means.

What is sent again, with exponential backoff and full jitter, or after the time that ``Retry-After`` names:

=============================  ==================  ===============
what happened                  idempotent request  any other (POST)
=============================  ==================  ===============
408, 425, 429                  again               again
the connection was never made  again               again
5xx, lost connection, timeout  again               unknown outcome
another answer than promised   again               unknown outcome
anything else                  an error            an error
=============================  ==================  ===============
"""

from __future__ import annotations

import http.client
import platform
import re
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3

from airflow_provider_emnify import __version__
from airflow_provider_emnify.api.errors import (
    EmnifyConnectionError,
    EmnifyError,
    EmnifyNotFoundError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
    error_from_answer,
)
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.transport.backoff import (
    LONGEST_RETRY_AFTER,
    asked_wait,
    backoff,
    retry_after,
)
from airflow_provider_emnify.api.transport.bodies import (
    Answer,
    Unreadable,
    error_body_without_values,
    error_in,
    parse_body,
)
from airflow_provider_emnify.api.transport.connections import (
    LONGEST_CONNECT,
    WHOLE,
    AnswerTooLargeError,
    Exchange,
    Session,
    exchanging,
    is_untrusted,
    read_body,
    reason,
    was_never_sent,
)

if TYPE_CHECKING:
    from airflow_provider_emnify.api.limits.limits import Limits
    from airflow_provider_emnify.api.secrets.redaction import Redactor
    from airflow_provider_emnify.api.transport.auth_token import AuthToken
    from airflow_provider_emnify.api.transport.request import Request
    from airflow_provider_emnify.api.transport.urls import Route

log = one_line_log(__name__)

_NO_CONTENT, _NOT_IMPLEMENTED = 204, 501
_USER_AGENT = f"airflow-provider-emnify/{__version__} Python/{platform.python_version()}"
_LONGEST_REASON = 300  # characters of a log line
# Answers of these hold tokens, keys or codes: none is ever shown.
_SECRET_ANSWER = re.compile(r"/api/v\d+/(authenticate|application_token|api_secret|user/(mfa|[^/]+/mfa))\b.*")
_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, zlib.error)


@dataclass
class ClientStats:
    """What a client has done so far.

    :param requests: Requests sent, repeats and authentications among them.
    :param retries: Requests sent again.
    :param throttled_seconds: Seconds waited for the rate limits, in all threads.
    :param authentications: Exchanges of the credentials (or the refresh token) for an auth token.
    """

    requests: float = 0
    retries: float = 0
    throttled_seconds: float = 0
    authentications: float = 0


class Sender:
    """Sends requests over one session and counts what it does. Safe to use from several threads.

    :param redactor: Takes secrets out of what is shown. The others are those of
        :class:`~airflow_provider_emnify.api.client.EmnifyClient`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        max_retries: int,
        limits: Limits,
        user_agent: str | None,
        route: Route,
        redactor: Redactor,
        on_metric: Callable[[str, float], None],
        sleep: Callable[[float], None],
    ) -> None:
        self._base_url = base_url
        self._host = urlsplit(base_url).netloc
        self._timeout = (min(timeout, LONGEST_CONNECT), timeout)
        self._limits = limits
        self._redactor = redactor
        self._on_metric = on_metric
        self._lock = threading.Lock()
        self.stats = ClientStats()
        self._max_retries = max_retries
        self._sleep = sleep
        self._under_way: set[Exchange] = set()
        self._closed = False
        self._user_agent = user_agent or _USER_AGENT
        self._route = route
        self._session = self._new_session()

    def _new_session(self) -> Session:
        return Session(urlsplit(self._base_url).hostname or "", self._user_agent, self._route)

    def abort(self) -> None:
        """End what is under way in other threads, at once, and send no more."""
        self._closed = True
        for exchange in list(self._under_way):
            exchange.abort()

    def after_fork(self) -> None:
        """Replace, in a child process, the connections and locks of the parent."""
        self._lock = threading.Lock()
        self._under_way = set()
        self._session = self._new_session()
        self._limits.after_fork()

    def close(self) -> None:
        """End what is under way, and close the connections and the store of the limits."""
        self.abort()
        self._session.close()
        self._limits.close()

    def count(self, name: str, amount: float = 1) -> None:
        """Add to what is counted."""
        if amount:
            with self._lock:
                setattr(self.stats, name, getattr(self.stats, name) + amount)
            self._on_metric(name, amount)

    def send(
        self, request: Request, token: AuthToken | None, organisation: str, *, acted: bool = False
    ) -> Answer:
        """Send a request until it is answered, as often as it may be sent.

        :param acted: Whether it was sent before, and may have been acted on.
        :raises EmnifyError: for anything but a success.
        """
        method, path = request.method, request.path

        def once() -> Answer:
            nonlocal acted
            waited = self._limits.acquire(method, path, host=self._host, organisation=organisation)
            self.count("throttled_seconds", waited)
            self.count("requests")
            try:
                answer = self._send_once(request, token)
            except EmnifyError as error:
                # The attempt before has deleted it. A call for many (with a body) is looked at by its caller.
                is_gone = isinstance(error, EmnifyNotFoundError) and method == "DELETE"
                if acted and is_gone and request.body is None:
                    return Answer(_NO_CONTENT, {}, None)
                error.may_have_acted = acted = acted or error.may_have_acted
                if request.check is not None:
                    request.check(error)
                raise
            if request.check is not None:
                request.check(answer)
            return answer

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, EmnifyError) and error.worth_resending and not self._closed
            ),
            stop=self._is_enough,
            wait=backoff,
            sleep=self._sleep,
            before_sleep=partial(self._note_retry, request),
            reraise=True,
        )
        with self._limits.serial(method, path, host=self._host, organisation=organisation):
            return retrying(once)

    def _is_enough(self, state: tenacity.RetryCallState) -> bool:
        left = LONGEST_RETRY_AFTER - state.idle_for
        return state.attempt_number > self._max_retries or left <= 0 or (asked_wait(state) or 0.0) > left

    def _note_retry(self, request: Request, state: tenacity.RetryCallState) -> None:
        self.count("retries")
        error = state.outcome.exception() if state.outcome else None
        why = " ".join(self._redactor.text(str(error)).split())
        log.info(
            "%s%s; sending it again in %.1f s (try %d of %d)",
            "" if why.startswith(f"{request.method} ") else f"{request}: ",
            why if len(why) <= _LONGEST_REASON else f"{why[:_LONGEST_REASON]}...",
            state.next_action.sleep if state.next_action else 0,
            state.attempt_number + 1,
            self._max_retries + 1,
        )

    def _send_once(self, request: Request, token: AuthToken | None) -> Answer:
        timeout = self._timeout[1]
        exchange = Exchange(time.monotonic() + WHOLE * timeout, timeout)
        self._under_way.add(exchange)
        try:
            if self._closed:
                raise _closed(request)
            with exchanging(exchange):
                response = self._session.request(
                    request.method,
                    self._base_url + request.path,
                    params=_query(request.query),
                    json=request.body,
                    auth=partial(_sign, token),
                    timeout=self._timeout,
                    allow_redirects=False,
                    stream=True,
                )
                body = read_body(response)
        except AnswerTooLargeError as error:
            why = f"the answer is refused: {error}"
            raise _unusable(why, None, request) from None
        except (requests.exceptions.InvalidJSONError, TypeError) as error:
            if exchange.began is not None:  # the body was ready
                raise
            raise ValueError(f"{request}: the body is not JSON: {error}") from None
        except (*_BROKEN, OSError, ValueError) as error:
            if self._closed:
                raise _closed(request) from None
            raise self._unanswered(error, exchange, request) from None
        finally:
            self._under_way.discard(exchange)
        return self._answer(response, body, request)

    def _answer(self, response: requests.Response, content: bytes, request: Request) -> Answer:
        status = response.status_code
        if response.is_redirect:
            raise request.error(
                EmnifyError,
                f"a redirect to {self._redactor.text(_host_of(response.headers['Location']))}, which is "
                "not followed: a token goes to no other host. Check the connection's host",
                status,
            )
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
            raise self._error(response, content, request)
        body = parse_body(content, request.pick)
        if isinstance(body, Unreadable):
            shown = "it is not shown" if _SECRET_ANSWER.fullmatch(request.path) else self._shown(body.text)
            raise _unusable(f"the answer is not JSON (is the host right?): {shown}", status, request)
        wrong = error_in(body) or request.promised.complaint(status, response.headers, body)
        if wrong is not None:
            why = f"unexpected answer: {wrong}"
            raise _unusable(why, status, request)
        return Answer(status, response.headers, body)

    def _shown(self, text: str) -> str:
        text = self._redactor.text(text.strip())
        return text if len(text) <= 200 else f"{text[:200]}... ({len(text)} characters)"  # noqa: PLR2004 - a readable message

    def _error(self, response: requests.Response, content: bytes, request: Request) -> EmnifyError:
        is_secret = _SECRET_ANSWER.fullmatch(request.path) is not None
        error = error_from_answer(
            request.method,
            request.path,
            status=response.status_code,
            reason=self._redactor.text(response.reason or ""),
            headers=response.headers,
            text=error_body_without_values(content) if is_secret else self._redactor.body(content),
            redact=self._redactor.text,
        )
        if isinstance(error, EmnifyServerError):
            if error.status == _NOT_IMPLEMENTED:
                error.transient = False
            elif not request.may_be_repeated:
                return _unknown_outcome(error.message, error.status, request)
        if error.worth_resending:
            error.retry_after = retry_after(response.headers)
        return error

    def _unanswered(self, error: Exception, exchange: Exchange, request: Request) -> EmnifyError:
        was_sent = not was_never_sent(error) if exchange.began is None else exchange.began
        why = self._redactor.text(reason(error, self._host, exchange, was_sent=was_sent))
        if was_sent and not request.may_be_repeated:
            return _unknown_outcome(why, None, request)
        lost = request.error(EmnifyConnectionError, why)
        lost.may_have_acted = was_sent
        # A certificate that is not trusted does not get better by itself, nor does an URL.
        lost.transient = not (is_untrusted(error) or (isinstance(error, ValueError) and not was_sent))
        return lost


def _sign(token: AuthToken | None, request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Put the token on, as the ``auth`` of a request: with one, requests looks for no ``.netrc``."""
    if token is not None:
        request.headers["Authorization"] = f"Bearer {token.value}"
    return request


def _closed(request: Request) -> EmnifyConnectionError:
    error = request.error(EmnifyConnectionError, "the client was closed")
    error.transient = False
    return error


def _unusable(why: str, status: int | None, request: Request) -> EmnifyError:
    if not request.may_be_repeated:
        return _unknown_outcome(why, status, request)
    return request.error(EmnifyServerError, why, status)


def _unknown_outcome(why: str, status: int | None, request: Request) -> EmnifyUnknownOutcomeError:
    message = f"the outcome is unknown ({why}). It is not sent again: check first whether it was done"
    return request.error(EmnifyUnknownOutcomeError, message, status)


def _host_of(location: str) -> str:
    try:
        return urlsplit(location).netloc.rpartition("@")[2] or "another path"
    except ValueError:
        return "what is not a URL"


def _query(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in (params or {}).items()
        if value is not None
    }
