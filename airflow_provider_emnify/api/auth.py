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
import hashlib
import logging
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import jwt

from airflow_provider_emnify.api.errors import EmnifyAuthenticationError, EmnifyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.api.token_cache import TokenCache

log = logging.getLogger(__name__)

AUTHENTICATE = "/api/v1/authenticate"
SWITCH_WORKSPACE = "/api/v1/authenticate/workspace"

_LEAD = 120.0  # seconds before its end at which a token is renewed ...
_LEAD_SHARE = 0.1  # ... but never more than this share of its life

_REJECTIONS = {400, 401, 403, 422}  # other failures of the exchange say nothing of the credential


@dataclass(frozen=True)
class Credentials:
    """What a user proves who they are with: an application token, or a username and a password.

    :param application_token: Application token from the portal, Integrations > Application tokens.
    :param username: Email address of a user. Only calls across Workspaces need user credentials.
    :param password: The user's password. It is sent as its SHA-1 digest, as the API asks for.
    :param fingerprint: Fingerprint of a trusted device, for a user with multi-factor authentication.
    :param workspace_id: Workspace to switch to after each authentication; needs user credentials.
    :raises ValueError: when they do not add up to one of the two forms.
    """

    application_token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    fingerprint: str | None = field(default=None, repr=False)
    workspace_id: int | None = None

    def __post_init__(self) -> None:
        if self.application_token and (self.username or self.password):
            raise ValueError("give an application token, or a username and a password, not both")
        if self.username and not self.password:
            raise ValueError("password is missing: a username needs one")
        if not self.username and not self.application_token:
            raise ValueError("application_token is missing (or username and password)")
        if not self.username and (self.workspace_id is not None or self.fingerprint):
            name = "fingerprint" if self.fingerprint else "workspace_id"
            raise ValueError(f"{name} needs user credentials: an application token belongs to one Workspace")

    @property
    def secrets(self) -> list[str]:
        """Every form in which these credentials are secret."""
        digest = _digest(self.password) if self.password else None
        return [s for s in (self.application_token, self.password, digest, self.fingerprint) if s]

    @property
    def identity(self) -> str:
        """A name for these credentials that tells nothing: for lock files and rate limit buckets."""
        # A digest of a high-entropy token, or of a username; it is a name, not a protection.
        return hashlib.sha256((self.application_token or f"user {self.username}").encode()).hexdigest()[:16]

    def body(self) -> dict[str, str]:
        """Return the body with which these credentials are exchanged for an auth token."""
        if self.application_token:
            return {"application_token": self.application_token}
        body = {"username": self.username or "", "password": _digest(self.password or "")}
        if self.fingerprint:
            body["fingerprint"] = self.fingerprint
        return body


def _digest(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class AuthToken:
    """An auth token and when to let go of it.

    Its life is counted from its arrival, by a clock that only goes forward: what the worker's clock says
    does not matter.

    :param value: The token itself.
    :param renew_at: Reading of the clock from which it is to be renewed; None: when the API refuses it.
    """

    value: str = field(repr=False)
    renew_at: float | None = None

    @classmethod
    def arrived(cls, value: str, now: float) -> AuthToken:
        """Take a token that arrived just ``now`` (a reading of the clock)."""
        claims = _claims(value)
        ends, began = claims.get("exp"), claims.get("iat")
        if not _is_number(ends):
            return cls(value)
        # Without a beginning, the only clock to count by is this machine's.
        life = float(ends) - (float(began) if _is_number(began) else datetime.now(UTC).timestamp())
        if life <= 0:
            return cls(value)
        return cls(value, now + life - min(_LEAD, life * _LEAD_SHARE))

    def is_due(self, now: float) -> bool:
        """Tell whether the token is about to end."""
        return self.renew_at is not None and now >= self.renew_at

    @property
    def secrets(self) -> list[str]:
        """The token, and what is secret among its claims."""
        api_key = _claims(self.value).get("api_key")
        return [self.value, str(api_key)] if api_key else [self.value]

    def info(self) -> dict[str, Any]:
        """Return what the token says, free of secrets.

        :returns: ``organisation_id``, ``organisation``, ``application_id`` or ``user_id`` and ``user``,
            ``issued_at`` and ``expires_at`` (ISO 8601, UTC), ``seconds_left`` (by this machine's clock);
            what it does not say is None.
        """
        claims = _claims(self.value)
        ends = claims.get("exp")
        left = round(float(ends) - datetime.now(UTC).timestamp()) if _is_number(ends) else None
        return {
            "organisation_id": _claim(claims, "org"),
            "organisation": _claim(claims, "orgName"),
            "application_id": _claim(claims, "app"),
            "user_id": _claim(claims, "user"),
            "user": _claim(claims, "userName"),
            "issued_at": _moment(claims.get("iat")),
            "expires_at": _moment(ends),
            "seconds_left": left,
        }


def _claims(token: str) -> dict[str, Any]:
    """What a token says; nothing when it is no JWT. It is the API that checks the signature, not us."""
    try:
        return dict(jwt.decode(token, options={"verify_signature": False}))
    except (jwt.PyJWTError, ValueError, TypeError):
        return {}


def _claim(claims: dict[str, Any], name: str) -> Any:
    nested = claims.get("esc")
    return claims.get(f"esc.{name}", nested.get(name) if isinstance(nested, dict) else None)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _moment(value: Any) -> str | None:
    try:
        return datetime.fromtimestamp(float(value), UTC).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return None


class Exchange(Protocol):
    """How a body is sent to one of the two authentication paths, and its JSON answer comes back."""

    def __call__(self, path: str, body: dict[str, Any], token: AuthToken | None) -> Any:
        """Send it once, or again only where the outcome is no rejection. Raises an EmnifyError."""


class TokenSource:
    """The one place where an auth token is had from, for however many threads.

    :param credentials: What to exchange.
    :param exchange: How to send it.
    :param clock: A clock in seconds that only goes forward.
    :param on_secret: Told every secret as soon as it is known.
    :param cache: Where processes of this host leave tokens for each other.
    """

    def __init__(
        self,
        credentials: Credentials,
        exchange: Exchange,
        clock: Callable[[], float],
        on_secret: Callable[[str], None],
        cache: TokenCache | None = None,
    ) -> None:
        self._credentials = credentials
        self._cache = cache
        self._exchange = exchange
        self._clock = clock
        self._on_secret = on_secret
        self._lock = threading.Lock()
        self._token: AuthToken | None = None
        self._refresh_token: str | None = None
        self._rejection: EmnifyError | None = None
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

    def _share(self, cache: TokenCache, stale: AuthToken | None) -> AuthToken:
        """Take the token that another process has left, or get one and leave it for the others."""
        with cache.lock():
            left = cache.load()
            if left is not None and left.rejection:
                raise EmnifyAuthenticationError(
                    f"{left.rejection} (found out {left.age:.0f} s ago by another task on this host)",
                    method="POST",
                    path=AUTHENTICATE,
                )
            if left is not None and left.token and (stale is None or left.token != stale.value):
                token = self._arrived(left.token, left.age)
                if not token.is_due(self._clock()):
                    return token
            try:
                token = self._authenticate()
            except EmnifyAuthenticationError as error:
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
            token = self._take(self._exchange(SWITCH_WORKSPACE, body, token))
        if log.isEnabledFor(logging.DEBUG):
            log.debug("Authenticated: %s", token.info())
        return token

    def _refresh(self) -> Any:
        if self._refresh_token is None:
            return None
        body, self._refresh_token = {"refresh_token": self._refresh_token}, None
        try:
            answer = self._exchange(AUTHENTICATE, body, None)
        except EmnifyError as error:
            if error.transient:
                self._refresh_token = body["refresh_token"]
                raise
            log.debug("The refresh token is not accepted any more; using the credentials")
            return None
        self._refresh_token = body["refresh_token"]  # the answer brings no new one
        return answer

    def _log_in(self) -> Any:
        what = "the application token" if self._credentials.application_token else "the username or password"
        try:
            return self._exchange(AUTHENTICATE, self._credentials.body(), None)
        except EmnifyError as error:
            if error.status not in _REJECTIONS:
                raise
            raise _rejected(error, what) from None

    def _take(self, answer: Any) -> AuthToken:
        said = answer if isinstance(answer, dict) else {}
        for name in ("auth_token", "refresh_token", "mfa_token"):
            if isinstance(said.get(name), str) and said[name]:
                self._on_secret(said[name])
        value = said.get("auth_token")
        if not isinstance(value, str) or not value:
            raise EmnifyAuthenticationError(
                _MFA_ASKED if said.get("mfa_token") else "the answer holds no auth_token; is the host right?",
                method="POST",
                path=AUTHENTICATE,
            )
        if not value.isascii() or any(letter.isspace() or not letter.isprintable() for letter in value):
            raise EmnifyAuthenticationError(
                "the answer's auth_token holds characters that no token has; is the host right?",
                method="POST",
                path=AUTHENTICATE,
            )
        if isinstance(said.get("refresh_token"), str):
            self._refresh_token = said["refresh_token"]
        return self._arrived(value)

    def _arrived(self, value: str, age: float = 0.0) -> AuthToken:
        token = AuthToken.arrived(value, self._clock() - age)
        for secret in token.secrets:
            self._on_secret(secret)
        return token


_MFA_ASKED = (
    "multi-factor authentication is asked for, which a task cannot answer. Register a trusted device: log in "
    "once with a fingerprint of your choice (POST /api/v1/authenticate with mfa_token, code and "
    "trusted_device) and give the same fingerprint in the connection's extras; or use an application token"
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
    return EmnifyAuthenticationError(
        message,
        status=error.status,
        code=error.code,
        token=error.token,
        details=error.details,
        method=error.method,
        path=error.path,
    )
