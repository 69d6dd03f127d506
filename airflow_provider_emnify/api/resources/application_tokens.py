"""Application tokens: the long-lived credentials of applications."""

from __future__ import annotations

from airflow_provider_emnify.api.enums import ApplicationTokenStatus
from airflow_provider_emnify.api.resources.operation import Listing, Resource, declared
from airflow_provider_emnify.api.types import Id, Moment, Row


class ApplicationTokens(Resource):
    """The application tokens of an organisation, as ``client.application_tokens``."""

    @declared("GET", "/api/v1/application_token", ids=int)
    def list(self) -> Listing:
        """List the application tokens: description, status, expiry, creator, but not the tokens themselves.

        See https://docs.emnify.com/developers/api/application-tokens/application-token-get
        """

    @declared("POST", "/api/v1/application_token", secret=True)
    def create(
        self, *, description: str | None = None, expiry_date: Moment | None = None, ip: str | None = None
    ) -> Row:
        """Create an application token. It is shown this once.

        See https://docs.emnify.com/developers/api/application-tokens/application-token-post

        :param description: What it is for.
        :param expiry_date: When it expires, in UTC. Without it: never.
        :param ip: Addresses that it may be used from, in CIDR notation.
        :returns: ``{"application_token": ...}``, a secret.
        """

    @declared("PATCH", "/api/v1/application_token/{app_token_id}")
    def update(
        self,
        application_token_id: Id,
        *,
        description: str | None = None,
        status: ApplicationTokenStatus | str | int | None = None,
    ) -> None:
        """Change or revoke an application token. Auth tokens that it got stay good until they expire.

        See https://docs.emnify.com/developers/api/application-tokens/application-token-by-id-patch

        :param application_token_id: Id of the token's record.
        :param description: What it is for.
        :param status: ``activated`` or ``revoked``.
        """
