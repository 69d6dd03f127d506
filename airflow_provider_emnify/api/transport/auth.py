"""From credentials to the ``Authorization`` header: the token exchange, its expiry and its renewal.

An application token (or a user's name and password) is a long-lived secret that goes to
``POST /api/v1/authenticate`` only; what comes back, the auth token, is a JWT of some hours that goes with
every other request. This module holds it, renews it before it ends, and never tries a rejected credential
a second time: emnify locks the account after three.

See https://docs.emnify.com/developers/api/authentication/authenticate. This module never logs or shows a
secret; what it learns goes to ``on_secret`` first, so that the caller's log can mask it.
"""

from __future__ import annotations

import copy
import logging
import random
import threading
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.errors import (
    EmnifyAuthenticationError,
    EmnifyError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
    ErrorKind,
)
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.transport.auth_token import AuthToken
from airflow_provider_emnify.api.transport.bodies import Answer
from airflow_provider_emnify.api.transport.request import Request

if TYPE_CHECKING:
    from airflow_provider_emnify.api.transport.credentials import Credentials
    from airflow_provider_emnify.api.transport.token_cache import TokenCache

log = one_line_log(__name__)

AUTHENTICATE = "/api/v1/authenticate"
SWITCH_WORKSPACE = "/api/v1/authenticate/workspace"

_UNAUTHORIZED = 401  # emnify's word for a rejected credential, whatever its body
_REJECTIONS = {400, 403, 422}  # these too, with emnify's own body; a proxy on the way answers so as well
_MOST_LOST = 2  # logins of a user whose outcome is unknown: a third one that is rejected locks the account
_PAUSE = (1.0, 5.0)  # seconds before the second one
_LOCKED_FOR = 300.0  # seconds that emnify locks an account


class TokenSource:
    """The one place where an auth token is had from, for however many threads.

    :param credentials: What to exchange.
    :param exchange: Sends a request with a token, or without one, and returns the JSON of its answer.
    :param clock: A clock in seconds that only goes forward.
    :param on_secret: Called with every secret as soon as it is known.
    :param cache: Where processes of this host leave tokens for each other.
    :param sleep: How to wait, in seconds.
    """

    def __init__(
        self,
        credentials: Credentials,
        exchange: Callable[[Request, AuthToken | None], Any],
        clock: Callable[[], float],
        on_secret: Callable[[str], None],
        cache: TokenCache | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._credentials = credentials
        self._cache = cache
        self._exchange = exchange
        self._clock = clock
        self._on_secret = on_secret
        self._sleep = sleep
        self._lock = threading.Lock()
        self._token: AuthToken | None = None
        self._refresh_token: str | None = None
        self._rejection: EmnifyError | None = None
        self._lost = 0  # logins of a user, one after another, whose outcome is unknown
        self._lost_at = 0.0
        self._lost_elsewhere = False
        self._was_accepted = False
        for secret in credentials.secrets:
            on_secret(secret)

    @property
    def held(self) -> AuthToken | None:
        """The token that is held now, if any."""
        return self._token

    def token(self) -> AuthToken:
        """Return a token that is good, as far as one can know.

        :raises EmnifyAuthenticationError: when the credentials were rejected, now or ever before.
        """
        held = self._token
        if held is not None and not held.is_due(self._clock()):
            return held
        return self.renew(held)

    def flow(self) -> Generator[AuthToken, EmnifyError, None]:
        """Give the token for a request; sent an error, give another one for it, where that may help.

        A 401 was not acted on, so any request may be sent once more with a new token.
        """
        token = self.token()
        error = yield token
        if error.status == _UNAUTHORIZED:
            yield self.renew(token)

    def renew(self, stale: AuthToken | None) -> AuthToken:
        """Return another token than ``stale``, which the API refused or which is about to end.

        Threads that come with the same stale token get the same new one, from one authentication.
        """
        with self._lock:
            if self._token is not None and self._token is not stale and not self._token.is_due(self._clock()):
                return self._token
            if self._rejection is not None:
                raise copy.copy(self._rejection)
            try:
                self._token = self._authenticate() if self._cache is None else self._share(self._cache, stale)
            except EmnifyError as error:
                if not error.transient:
                    self._rejection, self._token = error, None
                raise
            return self._token

    def after_fork(self) -> None:
        """Replace, in a child process, the lock that the parent may hold. The token is valid in both."""
        self._lock = threading.Lock()

    def _share(self, cache: TokenCache, stale: AuthToken | None) -> AuthToken:
        """Take the token that another process has left, or get one and leave it for the others."""
        with cache.lock():
            left = cache.load()
            if left is not None and left.lost > self._lost:
                self._lost, self._lost_at = left.lost, self._clock() - left.age
                self._lost_elsewhere = True
            if left is not None and left.rejection:
                raise _error(
                    EmnifyAuthenticationError,
                    f"{left.rejection} (found out {left.age:.0f} s ago by another task on this host)",
                )
            if left is not None and left.token and (stale is None or left.token != stale.value):
                token = self._arrived(left.token, left.age)
                if not token.is_due(self._clock()):
                    return token
            try:
                token = self._authenticate()
            except EmnifyAuthenticationError as error:
                if error.status is not None:  # emnify said so itself
                    cache.store(rejection=error.message)
                raise
            cache.store(token=token.value)
            return token

    def _authenticate(self) -> AuthToken:
        answer = self._refresh() or self._log_in()
        token = self._take(answer)
        workspace_id = self._credentials.workspace_id
        if workspace_id is not None:
            body = {"target_organisation": {"id": workspace_id}}
            token = self._take(self._exchange(_request(SWITCH_WORKSPACE, body), token))
        if log.isEnabledFor(logging.DEBUG):
            log.debug("Authenticated: %s", token.info())
        return token

    def _refresh(self) -> Any:
        if self._refresh_token is None:
            return None
        body, self._refresh_token = {"refresh_token": self._refresh_token}, None
        try:
            answer = self._exchange(_request(AUTHENTICATE, body), None)
        except EmnifyError as error:
            if error.transient:
                self._refresh_token = body["refresh_token"]
                raise
            log.debug("The refresh token is not accepted any more; using the credentials")
            return None
        self._refresh_token = body["refresh_token"]  # the answer brings no new one
        return answer

    def _log_in(self) -> Any:
        is_user = not self._credentials.application_token
        request = _request(AUTHENTICATE, self._credentials.body(), idempotent=not is_user)
        while True:
            self._refuse_a_third_try()
            try:
                answer = self._exchange(request, None)
            except EmnifyUnknownOutcomeError as error:
                self._lost += 1
                self._lost_at, self._lost_elsewhere = self._clock(), False
                if self._cache is not None:
                    self._cache.store(lost=self._lost)
                log.info("%s (try %d of %d)", error, self._lost, _MOST_LOST)
                if self._lost < _MOST_LOST:
                    self._sleep(random.uniform(*_PAUSE))  # noqa: S311 - spreads callers, hides nothing
                continue
            except EmnifyError as error:
                if not _is_rejection(error):
                    raise
                what = "the username or password" if is_user else "the application token"
                raise _rejected(error, what) from None
            self._lost, self._was_accepted = 0, True
            return answer

    def _refuse_a_third_try(self) -> None:
        """Keep a user's account from being locked by logins whose outcome is unknown.

        Credentials that were accepted before get new tries after the time of a lock, and so does who has sent
        none of those that were lost; others do not.

        :raises EmnifyServerError: after the second one.
        """
        if self._lost < _MOST_LOST:
            return
        may_try_later = self._was_accepted or self._lost_elsewhere
        if may_try_later and self._clock() >= self._lost_at + _LOCKED_FOR:
            self._lost = 0
            return
        error = _error(
            EmnifyServerError,
            f"the answers to {self._lost} logins were lost or not emnify's own, so it is not known whether "
            "username and password are right. They are not sent a third time, since three rejections in a "
            "row lock the account for five minutes. Check that the host is right and that they log in to the "
            "portal, then clear the task after five minutes; an application token has no such lock",
        )
        error.retry_after = _LOCKED_FOR
        error.transient = may_try_later  # else each Airflow retry would send two more
        raise error

    def _take(self, answer: Any) -> AuthToken:
        said = answer if isinstance(answer, dict) else {}
        for name in ("auth_token", "refresh_token", "mfa_token"):
            if isinstance(said.get(name), str) and said[name]:
                self._on_secret(said[name])
        value = said.get("auth_token")
        if not isinstance(value, str) or not value:
            raise _error(EmnifyAuthenticationError, _MFA_ASKED, status=200)
        if isinstance(said.get("refresh_token"), str):
            self._refresh_token = said["refresh_token"]
        return self._arrived(value)

    def _arrived(self, value: str, age: float = 0.0) -> AuthToken:
        token = AuthToken.arrived(value, self._clock() - age)
        for secret in token.secrets:
            self._on_secret(secret)
        return token


def _request(path: str, body: dict[str, Any], *, idempotent: bool = True) -> Request:
    check = _check_answer if idempotent else partial(_check_answer, kind=EmnifyUnknownOutcomeError)
    return Request("POST", path, body=body, idempotent=idempotent, check=check)


def _error(kind: type[ErrorKind], message: str, *, status: int | None = None) -> ErrorKind:
    return kind(message, status=status, method="POST", path=AUTHENTICATE)


_MFA_ASKED = (
    "multi-factor authentication is asked for, which a task cannot answer. Register a trusted device: log in "
    "once with a fingerprint of your choice (POST /api/v1/authenticate with mfa_token, code and "
    "trusted_device) and give the same fingerprint in the connection's extras; or use an application token"
)


def _is_rejection(error: EmnifyError) -> bool:
    """Tell whether emnify itself says that it does not accept the credential."""
    if error.status == _UNAUTHORIZED:
        return True
    return error.status in _REJECTIONS and (error.code is not None or error.token is not None)


def _check_answer(answer: Answer | EmnifyError, *, kind: type[EmnifyError] = EmnifyServerError) -> None:
    """Refuse what is not emnify's own answer to an authentication: it says nothing of the credential.

    :param kind: What to raise for an answer that is empty, cut or not emnify's.
    """
    if isinstance(answer, EmnifyError):
        status = answer.status or 0
        if answer.transient or status < 400 or isinstance(answer, kind) or _is_rejection(answer):  # noqa: PLR2004 - HTTP's own number
            return
        why = "emnify rejects no credential like this: somebody else may have answered (is the host right?)"
        raise answer.as_kind(kind, why) from None
    said = answer.body if isinstance(answer.body, dict) else {}
    token = said.get("auth_token")
    if token is None and said.get("mfa_token"):
        return
    if isinstance(token, str) and token.isascii() and token.isprintable() and token and " " not in token:
        return
    raise _error(
        kind, "the answer holds no auth_token that could be used; is the host right?", status=answer.status
    )


def _rejected(error: EmnifyError, what: str) -> EmnifyAuthenticationError:
    locked = error.token == "TooManyRequests"  # noqa: S105 - a name, no secret
    said = "" if error.details is None and not error.token else f" ({error.message})"
    message = (
        "the account is locked for five minutes after rejected attempts" + said
        if locked
        else f"{what} was rejected{said}. Check that it is whole, neither revoked nor expired, and of this "
        "API; it is not tried again, since three rejections in a row lock the account for five minutes"
    )
    return error.as_kind(EmnifyAuthenticationError, message)
