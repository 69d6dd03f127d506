"""Who may call: credentials, auth tokens, locked accounts."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from typing import Any, Literal

import jwt

from airflow_provider_emnify.api.enums import ApplicationTokenStatus, EventSeverity, EventType, UserStatus
from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError
from airflow_provider_emnify.sandbox.world.records.accounts import ApplicationToken, TrustedDevice, User
from airflow_provider_emnify.sandbox.world.state import ORGANISATION_ID, State

LOCK_AFTER = 3
LOCK_SECONDS = 300.0
TRUST_SECONDS = 90 * 86_400.0
ISSUER = "spc-frontend001@api.emnify.net"
AUDIENCE = "/api/v1"

Tokens = dict[str, str]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is behind a token: an application or a user, in an organisation."""

    kind: Literal["application", "user"]
    id: int
    organisation_id: int
    role_id: int = 1


class Unauthorized(Exception):
    """Answered with 401: in the gateway's form, in the API's, or with nothing at all."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("unauthorized")
        self.answer = answer


REJECTED = Answer(401)
"""What a rejected credential gets: an empty body."""


class Accounts:
    """Checks credentials, issues and checks tokens.

    :param state: The tables with the users and application tokens.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self._settings = state.settings
        self._key = secrets.token_bytes(48)
        self._grants: dict[str, tuple[Identity, float]] = {}
        """Who each auth token is for, and until when."""
        self._refresh: dict[str, Identity] = {}
        self._mfa: dict[str, Identity] = {}
        self._rejections: dict[str, tuple[int, float]] = {}
        self._applications: dict[str, ApplicationToken] = {}
        self.issued: list[str] = []
        """Every secret that was ever sent out, for tests that look for leaks."""

    # -- tokens ---------------------------------------------------------------------------------------

    def add_application_token(
        self, description: str, organisation_id: int = ORGANISATION_ID, token: str | None = None
    ) -> ApplicationToken:
        """Create an application token, at random unless one is given."""
        added = ApplicationToken(
            self.state.next_id("application token"),
            token or f"sandbox-application-token-{secrets.token_hex(24)}",
            description,
            self.state.clock.time(),
            organisation_id,
        )
        self.state.application_tokens[added.id] = added
        self._applications[added.token] = added
        return added

    def issue(self, identity: Identity) -> str:
        """Issue an auth token."""
        claims, form = self._claims(identity), self._settings.token_form
        if form == "no-exp":
            del claims["exp"]
        token = secrets.token_urlsafe(48) if form == "opaque" else self._sign(claims)
        self._grants[token] = identity, self.state.now + self._settings.token_life
        self.issued.append(token)
        return token

    def check(self, authorization: str | None) -> Identity:
        """Return who sends a request.

        :raises Unauthorized: unless the header holds a token that is valid now.
        """
        scheme, _, token = (authorization or "").partition(" ")
        grant = self._grants.get(token.strip()) if scheme.lower() == "bearer" else None
        if grant is None:
            raise Unauthorized(self._refusal("InvalidToken", "token contains an invalid number of segments"))
        identity, expires = grant
        if self.state.now >= expires:
            raise Unauthorized(self._refusal("TokenExpired", "Token is expired"))
        return identity

    def revoke(self, *, refresh: bool = False) -> int:
        """Make every issued auth token invalid, and the refresh tokens too if asked; return how many."""
        number = len(self._grants)
        self._grants.clear()
        if refresh:
            self._refresh.clear()
        return number

    def user_of(self, identity: Identity | None) -> User | None:
        """Return the user behind a token; None for an application's."""
        return self.state.users.get(identity.id) if identity and identity.kind == "user" else None

    # -- credentials ----------------------------------------------------------------------------------

    def authenticate(self, body: dict[str, Any], address: str) -> Tokens:
        """Trade a credential for tokens.

        :raises Unauthorized: if it is rejected.
        """
        for field, trade in (
            ("application_token", self._by_application_token),
            ("refresh_token", self._by_refresh_token),
            ("mfa_token", self._by_mfa_token),
            ("username", self._by_password),
        ):
            if isinstance(body.get(field), str) and body[field]:
                account = f"{field} {body[field].lower()}"
                self._check_lock(account)
                tokens = trade(body, address)
                if tokens is None:
                    rejected, _ = self._rejections.get(account, (0, 0.0))
                    self._rejections[account] = (rejected + 1, self.state.now)
                    raise Unauthorized(REJECTED)
                self._rejections.pop(account, None)
                return tokens
        raise ApiError("BadRequest", "Credentials are missing.")

    def switch(self, identity: Identity | None, organisation_id: int) -> str:
        """Return an auth token for another Workspace of the user."""
        user = self.user_of(identity)
        membership = user.memberships.get(organisation_id) if user else None
        if user is None or membership is None or membership.status is not UserStatus.ACTIVE:
            raise ApiError("Forbidden", "You do not have the necessary permissions to access this Workspace.")
        return self.issue(_user_identity(user, organisation_id))

    def support_token(self, user: User, role_id: int) -> str:
        """Return an auth token that acts as another user."""
        return self.issue(replace(_user_identity(user), role_id=role_id))

    def _by_application_token(self, body: dict[str, Any], address: str) -> Tokens | None:
        token = self._applications.get(body["application_token"])
        if token is None:
            return None
        revoked = token.status is ApplicationTokenStatus.REVOKED
        if revoked or (token.expires is not None and token.expires <= self.state.now):
            kind, over = EventType.APPLICATION_AUTHENTICATION_FAILED, "revoked" if revoked else "expired"
            self._failed(kind, token.description, over, address)
            return None
        return {"auth_token": self.issue(Identity("application", token.id, token.organisation_id))}

    def _by_password(self, body: dict[str, Any], address: str) -> Tokens | None:
        user = self.state.user_by_name(body["username"])
        if user is None:
            return None
        known = user.status is UserStatus.ACTIVE and user.password_sha1 is not None
        if not known or str(body.get("password", "")).lower() != user.password_sha1:
            kind = EventType.USER_AUTHENTICATION_FAILED
            self._failed(kind, user.username, "Invalid password", address, user)
            return None
        identity, has_key = _user_identity(user), any(key.active for key in user.mfa_keys.values())
        trusted = any(
            device.fingerprint == body.get("fingerprint")
            and self.state.now - device.activated < TRUST_SECONDS
            for device in user.trusted_devices.values()
        )
        if not has_key or trusted:
            return self._both(identity)
        token = self._new("esc.mfa", user.id)
        self._mfa[token] = identity
        return {"mfa_token": token}

    def _by_refresh_token(self, body: dict[str, Any], address: str) -> Tokens | None:
        identity = self._refresh.get(body["refresh_token"])
        user = self.user_of(identity)
        if identity is None or user is None or user.status is not UserStatus.ACTIVE:
            return None
        return {"auth_token": self.issue(identity)}

    def _by_mfa_token(self, body: dict[str, Any], address: str) -> Tokens | None:
        identity = self._mfa.get(body["mfa_token"])
        user = self.user_of(identity)
        if identity is None or user is None or body.get("code") != self._settings.mfa_code:
            return None
        del self._mfa[body["mfa_token"]]
        device = body.get("trusted_device")
        if isinstance(device, dict) and device.get("fingerprint"):
            number = self.state.next_id("trusted device")
            system, browser = (str(device.get(key, "")) for key in ("operating_system", "browser"))
            trusted = TrustedDevice(number, str(device["fingerprint"]), system, browser, self.state.now)
            user.trusted_devices[number] = trusted
        return self._both(identity)

    def _both(self, identity: Identity) -> Tokens:
        refresh = self._new("esc.refresh", identity.id)
        self._refresh[refresh] = identity
        return {"auth_token": self.issue(identity), "refresh_token": refresh}

    def _new(self, claim: str, number: int) -> str:
        token = self._sign({claim: number, "iat": int(self.state.now), "jti": secrets.token_hex(8)})
        self.issued.append(token)
        return token

    # -- rejections -----------------------------------------------------------------------------------

    def _check_lock(self, account: str) -> None:
        rejected, last = self._rejections.get(account, (0, 0.0))
        if rejected < LOCK_AFTER:
            return
        if self.state.now - last >= LOCK_SECONDS:
            del self._rejections[account]
            return
        error = ApiError("TooManyRequests", "Too many failed authentication requests.", status=401)
        raise Unauthorized(Answer(401, error.body))

    def _failed(self, kind: EventType, who: str, reason: str, address: str, user: User | None = None) -> None:
        text = f"Failed authentication request from '{who}', Reason: {reason} from IP {address}"
        self.state.emit(kind, text, severity=EventSeverity.WARN, user=user)

    def _refusal(self, token: str, message: str) -> Answer:
        if self._settings.unauthorized == "gateway":
            return Answer(401, {"message": message}, {"x-amzn-ErrorType": "AccessDeniedException"})
        return Answer(401, ApiError(token, message).body)

    # -- claims ---------------------------------------------------------------------------------------

    def _claims(self, identity: Identity) -> dict[str, Any]:
        issued, life = int(self.state.now), self._settings.token_life
        life = int(life) if float(life).is_integer() else life
        claims: dict[str, Any] = {"aud": AUDIENCE, "iss": ISSUER, "iat": issued, "exp": issued + life}
        user = self.user_of(identity)
        if user is None:
            claims |= {"esc.app": identity.id, "api_key": secrets.token_hex(16)}
        else:
            claims |= {"sub": user.username, "esc.user": user.id, "esc.userName": user.name}
            claims["esc.roles"] = [identity.role_id]
        organisation = self.state.organisations[identity.organisation_id]
        claims |= {"esc.org": organisation.id, "esc.orgName": organisation.name}
        return {**claims, "jti": secrets.token_hex(8)}

    def _sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(json.loads(json.dumps(claims)), self._key, algorithm="HS384")


def _user_identity(user: User, organisation_id: int | None = None) -> Identity:
    organisation_id = organisation_id or user.organisation_id
    roles = user.memberships[organisation_id].role_ids
    return Identity("user", user.id, organisation_id, roles[0] if roles else 2)
