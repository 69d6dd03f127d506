"""API callbacks: the URLs of one's own that emnify calls, for example with an SMS from an endpoint."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.operation import Listing, Resource, declared
from airflow_provider_emnify.api.types import Id, Row


class ApiCallbacks(Resource):
    """The callback URLs of an organisation, as ``client.api_callbacks``."""

    @declared("GET", "/api/v1/api_callback", secret_fields=("url", "callback_url"))
    def list(self) -> Listing:
        """List the callback URLs.

        See https://docs.emnify.com/developers/api/integrations/get-api-callback-ur-ls
        """

    @declared(
        "POST",
        "/api/v1/api_callback",
        known_by=("url",),
        secret_arguments=("url",),
        secret_fields=("url", "callback_url"),
    )
    def create(self, *, url: str, purpose: str | None = None) -> Row:
        """Create a callback URL, to be used in a service profile.

        See https://docs.emnify.com/developers/api/integrations/create-callback-url

        :param url: The URL that emnify calls.
        :param purpose: What it is for.
        :returns: The callback, with at least its ``id``.
        """

    @declared("GET", "/api/v1/api_callback/{api_callback_id}", secret_fields=("url", "callback_url"))
    def get(self, api_callback_id: Id) -> Row:
        """Return a callback URL.

        See https://docs.emnify.com/developers/api/integrations/get-callback-ur-lby-id

        :param api_callback_id: Id of the callback.
        """

    @declared("DELETE", "/api/v1/api_callback/{api_callback_id}", answer="acknowledgement")
    def delete(self, api_callback_id: Id) -> None:
        """Delete a callback URL.

        See https://docs.emnify.com/developers/api/integrations/delete-callback-url

        :param api_callback_id: Id of the callback.
        """
