"""Authentication as a raw call. The client authenticates by itself: this is for tools around accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_emnify.api.resources.operation import Resource, declared
from airflow_provider_emnify.api.types import Row


class Authentication(Resource):
    """The exchange of credentials for an auth token, as ``client.authentication``."""

    @declared("POST", "/api/v1/authenticate", secret=True)
    def authenticate(
        self,
        *,
        application_token: str | None = None,
        username: str | None = None,
        password: str | None = None,
        fingerprint: str | None = None,
        refresh_token: str | None = None,
        mfa_token: str | None = None,
        code: str | None = None,
        trusted_device: Mapping[str, Any] | None = None,
    ) -> Row:
        """Exchange credentials for an auth token. Three rejected tries lock the account for five minutes.

        Give one of: the application token; username and password, with a trusted device's fingerprint; the
        refresh token; the MFA token and the code.

        See https://docs.emnify.com/developers/api/authentication/authenticate

        :param application_token: An application token.
        :param username: A user's email address.
        :param password: SHA-1 of the user's password, in hexadecimal digits.
        :param fingerprint: Fingerprint of a trusted device, which needs no MFA.
        :param refresh_token: What the last exchange gave.
        :param mfa_token: What an exchange gave that wants MFA.
        :param code: The six digits that MFA sent.
        :param trusted_device: Device to trust for 90 days: ``fingerprint``, ``operating_system``,
            ``browser``, ``name``.
        :returns: ``auth_token`` and ``refresh_token``, or ``mfa_token``; all are secrets.
        """
