"""What a user proves who they are with, and in which forms that is secret."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


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
    username: str | None = field(default=None, repr=False)  # it can be a token in the wrong field
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
