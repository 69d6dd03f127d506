"""API secrets: what emnify signs its calls to an API callback with."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.fields import given
from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.types import Id, Row


class ApiSecrets(Resource):
    """The callback secrets of an organisation, as ``client.api_secrets``."""

    @declared("GET", "/api/v1/api_secret", secret=True, ids=int)
    def list(self) -> Listing:
        """List the callback secrets, by purpose.

        See https://docs.emnify.com/developers/api/integrations/get-api-callback-secret
        """

    @operation("POST", "/api/v1/api_secret", secret=True)
    def create(
        self,
        call: Call,
        *,
        purpose: str | None = None,
        secret: str | None = None,
        organisation_id: Id | None = None,
    ) -> Row:
        """Create a callback secret, to be used in a service profile together with a callback URL.

        emnify then signs the JSON Web Token in its calls with it.

        See https://docs.emnify.com/developers/api/integrations/create-callback-secret

        :param purpose: What it is for.
        :param secret: The signing key, a secret.
        :param organisation_id: Organisation that it is for.
        :returns: The secret's record, with at least its ``id``.
        """
        body = given(
            purpose=purpose,
            secret=secret,
            organisation_id=None if organisation_id is None else str(organisation_id),
        )
        return call.create(json=body)

    @declared("GET", "/api/v1/api_secret/{api_secret_id}", secret=True, ids=int)
    def get(self, api_secret_id: Id) -> Row:
        """Return a callback secret.

        See https://docs.emnify.com/developers/api/integrations/get-callback-secretby-id

        :param api_secret_id: Id of the secret.
        """

    @declared("DELETE", "/api/v1/api_secret/{api_secret_id}", answer="acknowledgement")
    def delete(self, api_secret_id: Id) -> None:
        """Delete a callback secret.

        See https://docs.emnify.com/developers/api/integrations/delete-callback-secret

        :param api_secret_id: Id of the secret.
        """
