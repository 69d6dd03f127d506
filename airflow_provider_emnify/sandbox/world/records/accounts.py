"""Records of users and application tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_emnify.api.enums import ApplicationTokenStatus, UserStatus


@dataclass(slots=True)
class MfaKey:
    """A key of the multi-factor authentication."""

    id: int
    type: int
    created: float
    active: bool = False


@dataclass(slots=True)
class TrustedDevice:
    """A device that needs no second factor for 90 days."""

    id: int
    fingerprint: str
    operating_system: str
    browser: str
    activated: float


@dataclass(slots=True)
class Membership:
    """A user's place in an organisation."""

    role_ids: list[int]
    status: UserStatus


@dataclass(slots=True)
class User:
    """A user account."""

    id: int
    username: str
    name: str
    organisation_id: int
    created: float
    status: UserStatus = UserStatus.ACTIVATION_PENDING
    password_sha1: str | None = field(default=None, repr=False)
    activation_key: str | None = field(default=None, repr=False)
    memberships: dict[int, Membership] = field(default_factory=dict)
    mfa_keys: dict[int, MfaKey] = field(default_factory=dict)
    trusted_devices: dict[int, TrustedDevice] = field(default_factory=dict)

    @property
    def role_ids(self) -> list[int]:
        """The roles in the user's own organisation."""
        return self.memberships[self.organisation_id].role_ids


@dataclass(slots=True)
class ApplicationToken:
    """An application token."""

    id: int
    token: str = field(repr=False)
    description: str
    created: float
    organisation_id: int
    status: ApplicationTokenStatus = ApplicationTokenStatus.ACTIVATED
    expires: float | None = None
    ip: str | None = None
