"""How one request is sent: in turn, within the limits, again where that is right; and what its answer means.

What is sent again, with exponential backoff and full jitter, or after the time that ``Retry-After`` names:

=============================  ==================  ===============
what happened                  repeatable request  any other (POST)
=============================  ==================  ===============
429                            again               again
the connection was never made  again               again
5xx, lost connection, timeout  again               unknown outcome
anything else                  an error            an error
=============================  ==================  ===============
"""

from __future__ import annotations

import platform
import random
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from airflow_provider_emnify import __version__
from airflow_provider_emnify.api.errors import (
    EmnifyConnectionError,
    EmnifyError,
    EmnifyRateLimitError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
    error_from_answer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emnify.api.auth import AuthToken
    from airflow_provider_emnify.api.limits import Limits

    Pick = Callable[[dict[str, Any]], Any]

_LONGEST_CONNECT = 10.0  # seconds to reach the host; the timeout is for its answer
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0  # seconds of backoff
_LONGEST_RETRY_AFTER = 900.0  # seconds; an API that asks for more is told of as an error
_NOT_IMPLEMENTED = 501
_CONNECTIONS = 32  # kept open for as many threads


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


@dataclass(frozen=True)
class Answer:
    """A success.

    :param status: HTTP status.
    :param headers: Headers; their names are found in any letter case.
    :param body: The parsed JSON; None when there was no body.
    """

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class _Unreadable:
    """A body that is no JSON."""

    text: str


class Sender:
    """Sends requests over one session and counts what it does. Safe to use from several threads.

    :param base_url: Scheme and host of the API.
    :param timeout: Seconds to wait for an answer.
    :param max_retries: How often a request is sent again, at most.
    :param limits: The rate limits to keep.
    :param user_agent: Value of the header.
    :param redact: Takes secrets out of a text.
    :param on_metric: Told what is counted, and by how much it grew.
    :param sleep: How to wait, in seconds.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        max_retries: int,
        limits: Limits,
        user_agent: str | None,
        redact: Callable[[str], str],
        on_metric: Callable[[str, float], None],
        sleep: Callable[[float], None],
    ) -> None:
        self._base_url = base_url
        self._host = urlsplit(base_url).netloc
        self._timeout = (min(timeout, _LONGEST_CONNECT), timeout)
        self._limits = limits
        self._redact = redact
        self._on_metric = on_metric
        self._lock = threading.Lock()
        self.stats = ClientStats()
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_worth_repeating),
            stop=tenacity.stop_after_attempt(max_retries + 1),
            wait=_backoff,
            sleep=sleep,
            before_sleep=lambda _state: self.count("retries"),
            reraise=True,
        )
        self._session = requests.Session()
        self._session.headers["User-Agent"] = user_agent or _user_agent()
        self._session.headers["Accept"] = "application/json"
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))

    def close(self) -> None:
        """Close the connections and the store of the limits."""
        self._session.close()
        self._limits.close()

    def count(self, name: str, amount: float = 1) -> None:
        """Add to what is counted."""
        if amount:
            with self._lock:
                setattr(self.stats, name, getattr(self.stats, name) + amount)
            self._on_metric(name, amount)

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        token: AuthToken | None,
        organisation: str,
        repeatable: bool,
        pick: Pick | None = None,
    ) -> Answer:
        """Send a request until it is answered, as often as it may be sent.

        :param pick: Makes what is kept of each object in the answer, from the inside out.
        :raises EmnifyError: for anything but a success.
        """

        def once() -> Answer:
            waited = self._limits.acquire(method, path, host=self._host, organisation=organisation)
            self.count("throttled_seconds", waited)
            self.count("requests")
            return self._send_once(method, path, params, json, token, repeatable, pick)

        with self._limits.serial(method, path, host=self._host, organisation=organisation):
            return self._retrying.copy()(once)

    def _send_once(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        json: Any,
        token: AuthToken | None,
        repeatable: bool,
        pick: Pick | None,
    ) -> Answer:
        try:
            response = self._session.request(
                method,
                self._base_url + path,
                params=_query(params),
                json=json,
                auth=_Bearer(token),
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise self._unanswered(error, method, path, repeatable) from None
        return self._answer(response, method, path, repeatable, pick)

    def _answer(
        self, response: requests.Response, method: str, path: str, repeatable: bool, pick: Pick | None
    ) -> Answer:
        status = response.status_code
        if response.is_redirect:
            raise EmnifyError(
                f"a redirect to {urlsplit(response.headers['Location']).netloc or 'another path'}, which is "
                "not followed: a token goes to no other host. Check the connection's host",
                status=status,
                method=method,
                path=path,
            )
        if not response.ok or status >= 300:  # noqa: PLR2004 - HTTP's own number
            raise self._error(response, method, path, repeatable)
        body = _body(response, pick)
        if isinstance(body, _Unreadable):
            kind = EmnifyServerError if repeatable else EmnifyUnknownOutcomeError
            raise kind(
                f"the answer is no JSON (is the host right?): {self._redact(body.text)}",
                status=status,
                method=method,
                path=path,
            )
        return Answer(status, response.headers, body)

    def _error(self, response: requests.Response, method: str, path: str, repeatable: bool) -> EmnifyError:
        error = error_from_answer(
            method,
            path,
            status=response.status_code,
            reason=response.reason or "",
            headers=response.headers,
            text=_text(response),
            redact=self._redact,
        )
        if isinstance(error, EmnifyServerError):
            if error.status == _NOT_IMPLEMENTED:
                error.transient = False
            elif not repeatable:
                return _unknown_outcome(error.message, method, path, error.status)
        if isinstance(error, (EmnifyRateLimitError, EmnifyServerError)):
            error.retry_after = _retry_after(response.headers)
        return error

    def _unanswered(
        self, error: requests.RequestException, method: str, path: str, repeatable: bool
    ) -> EmnifyError:
        why = self._redact(_reason(error, self._host, self._timeout[1]))
        if not _was_never_sent(error) and not repeatable:
            return _unknown_outcome(why, method, path)
        lost = EmnifyConnectionError(why, method=method, path=path)
        # A certificate does not get better by itself, nor does an URL.
        lost.transient = not isinstance(error, requests.exceptions.SSLError | ValueError)
        return lost


class _Bearer(requests.auth.AuthBase):
    """Puts the token on. An ``auth`` object also keeps requests from using a ``.netrc`` instead."""

    def __init__(self, token: AuthToken | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request


def _is_worth_repeating(error: BaseException) -> bool:
    if not isinstance(error, EmnifyError) or not error.transient:
        return False
    return (getattr(error, "retry_after", None) or 0) <= _LONGEST_RETRY_AFTER


def _backoff(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked: float | None = getattr(error, "retry_after", None)
    if asked is not None:
        return asked + random.uniform(0, _FIRST_WAIT)  # noqa: S311 - spreads callers, hides nothing
    most = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (state.attempt_number - 1))
    return random.uniform(0, most)  # noqa: S311 - spreads callers, hides nothing


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the answer asks to wait; a date is held against the answer's own clock."""
    value = (headers.get("Retry-After") or "").strip()
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
        now = parsedate_to_datetime(headers["Date"]) if "Date" in headers else datetime.now(UTC)
        return max((until - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def _unknown_outcome(
    why: str, method: str, path: str, status: int | None = None
) -> EmnifyUnknownOutcomeError:
    return EmnifyUnknownOutcomeError(
        f"it is not known whether this was done ({why}). It is not sent again: look first whether it was",
        status=status,
        method=method,
        path=path,
    )


def _was_never_sent(error: requests.RequestException) -> bool:
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError | ValueError):
        return True
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    if isinstance(cause, urllib3.exceptions.ProxyError):
        cause = cause.original_error
    return isinstance(cause, NewConnectionError | ConnectTimeoutError)


def _reason(error: requests.RequestException, host: str, timeout: float) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return f"no trusted TLS connection to {host}: {_innermost(error)}"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"{host} could not be reached within {min(timeout, _LONGEST_CONNECT):g} s"
    if isinstance(error, requests.exceptions.Timeout):
        return f"{host} did not answer within {timeout:g} s"
    if _was_never_sent(error):
        return f"{host} could not be reached: {_innermost(error)}"
    return f"the connection to {host} broke: {_innermost(error)}"


def _innermost(error: BaseException) -> str:
    """Return what the deepest cause says, without the addresses of objects."""
    while True:
        inner = getattr(error, "reason", None) or getattr(error, "original_error", None)
        inner = inner or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if not isinstance(inner, BaseException):
            return str(error).rpartition(">: ")[2]
        error = inner


def _body(response: requests.Response, pick: Pick | None = None) -> Any:
    if not response.content.strip():
        return None
    try:
        return response.json(object_hook=pick)
    except ValueError:
        text = _text(response).strip()
        return _Unreadable(text if len(text) <= 200 else f"{text[:200]}... ({len(text)} characters)")  # noqa: PLR2004 - a readable message


def _text(response: requests.Response) -> str:
    # Guessing the encoding of a large page takes seconds, and only a person reads it.
    return response.content.decode("utf-8", "replace")


def _query(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in (params or {}).items()
        if value is not None
    }


def _user_agent() -> str:
    return f"airflow-provider-emnify/{__version__} Python/{platform.python_version()}"
