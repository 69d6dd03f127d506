"""Service profiles: what endpoints may do on the network."""

from __future__ import annotations

from typing import Literal

from airflow_provider_emnify.api.resources.fields import UNSET, Unset
from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.transport.recover import created_since, having
from airflow_provider_emnify.api.types import Id, Row, TextId


class ServiceProfiles(Resource):
    """The service profiles of an organisation, as ``client.service_profiles``."""

    @declared("GET", "/api/v1/service_profile", ids=int, secret_fields=("secret", "url"))
    def list(self) -> Listing:
        """List the service profiles, without their services.

        See https://docs.emnify.com/developers/api/service-profiles/service-profile-get
        """

    @declared("POST", "/api/v1/service_profile", ids=int, known_by=("name",), secret_fields=("secret", "url"))
    def create(
        self,
        *,
        name: str,
        description: str | None = None,
        allowed_3g: bool | None = None,
        allowed_4g: bool | None = None,
        allowed_nb_iot: bool | None = None,
        allowed_nb_iot_geo: bool | None = None,
        apply_sms_quota: bool | None = None,
        apply_data_quota: bool | None = None,
        retail: bool | None = None,
        sms_p2p_int: bool | None = None,
        sms_p2p_ext: bool | None = None,
        prepaid: bool | None = None,
        nipdp: bool | None = None,
        api_callback_id: Id | None = None,
        api_secret_id: Id | None = None,
        moc_callback_id: Id | None = None,
        esme_interface_type_id: Id | None = None,
        breakout_region_id: Id | None = None,
        dns_id: Id | None = None,
    ) -> Row:
        """Create a service profile. Its services come with :meth:`add_service`.

        See https://docs.emnify.com/developers/api/service-profiles/service-profile-post

        :param name: Name of the profile.
        :param description: What it is for.
        :param allowed_3g: Whether 3G may be used; emnify's default is yes.
        :param allowed_4g: Whether LTE and LTE-M may be used; emnify's default is yes.
        :param allowed_nb_iot: Whether NB-IoT may be used; emnify's default is yes.
        :param allowed_nb_iot_geo: Whether NB-IoT over satellites may be used; emnify's default is no.
        :param apply_sms_quota: Whether endpoints need an SMS quota; emnify's default is no.
        :param apply_data_quota: Whether endpoints need a data quota; emnify's default is no.
        :param retail: emnify's default is no.
        :param sms_p2p_int: Whether endpoints may send SMS to each other; emnify's default is yes.
        :param sms_p2p_ext: Whether endpoints may send SMS to others; emnify's default is yes.
        :param prepaid: Deprecated by emnify.
        :param nipdp: emnify's default is no.
        :param api_callback_id: Id of the callback URL, see ``client.api_callbacks``.
        :param api_secret_id: Id of its secret, see ``client.api_secrets``.
        :param moc_callback_id: Id of the callback URL for calls from endpoints.
        :param esme_interface_type_id: How SMS reach the application, see ``client.lookups``.
        :param breakout_region_id: Where data leaves emnify's network, see ``client.lookups``.
        :param dns_id: Id of the DNS configuration, see ``client.dns``.
        :returns: The profile, with at least its ``id``.
        """

    @declared("GET", "/api/v1/service_profile/{profile_id}", ids=int, secret_fields=("secret", "url"))
    def get(self, profile_id: Id) -> Row:
        """Return a service profile with its services.

        See https://docs.emnify.com/developers/api/service-profiles/service-profile-by-profile-id-get

        :param profile_id: Id of the profile.
        """

    @declared("PATCH", "/api/v1/service_profile/{profile_id}", answer="acknowledgement")
    def update(
        self,
        profile_id: Id,
        *,
        name: str | None = None,
        description: str | None = None,
        allowed_3g: bool | None = None,
        allowed_4g: bool | None = None,
        allowed_nb_iot: bool | None = None,
        allowed_nb_iot_geo: bool | None = None,
        apply_sms_quota: bool | None = None,
        apply_data_quota: bool | None = None,
        retail: bool | None = None,
        sms_p2p_int: bool | None = None,
        sms_p2p_ext: bool | None = None,
        prepaid: bool | None = None,
        nipdp: bool | None = None,
        api_callback_id: Id | Unset | None = UNSET,
        api_secret_id: Id | Unset | None = UNSET,
        moc_callback_id: Id | Unset | None = UNSET,
        esme_interface_type_id: Id | None = None,
        breakout_region_id: Id | None = None,
        dns_id: Id | None = None,
    ) -> None:
        """Change a service profile; only what is given is changed. See :meth:`create` for the arguments.

        See https://docs.emnify.com/developers/api/service-profiles/service-profile-by-profile-id-patch

        :param profile_id: Id of the profile.
        :param name: Name of the profile.
        :param description: What it is for.
        :param allowed_3g: Whether 3G may be used.
        :param allowed_4g: Whether LTE and LTE-M may be used.
        :param allowed_nb_iot: Whether NB-IoT may be used.
        :param allowed_nb_iot_geo: Whether NB-IoT over satellites may be used.
        :param apply_sms_quota: Whether endpoints need an SMS quota; one without is then blocked.
        :param apply_data_quota: Whether endpoints need a data quota; one without is then blocked.
        :param retail: See emnify's page.
        :param sms_p2p_int: Whether endpoints may send SMS to each other.
        :param sms_p2p_ext: Whether endpoints may send SMS to others.
        :param prepaid: Deprecated by emnify.
        :param nipdp: See emnify's page.
        :param api_callback_id: Id of the callback URL; None takes it away.
        :param api_secret_id: Id of its secret; None takes it away.
        :param moc_callback_id: Id of the callback URL for calls from endpoints; None takes it away.
        :param esme_interface_type_id: How SMS reach the application.
        :param breakout_region_id: Where data leaves emnify's network.
        :param dns_id: Id of the DNS configuration.
        """

    @declared("DELETE", "/api/v1/service_profile/{profile_id}")
    def delete(self, profile_id: Id) -> None:
        """Delete a service profile that no endpoint uses.

        See https://docs.emnify.com/developers/api/service-profiles/service-profile-by-profile-id-delete

        :param profile_id: Id of the profile.
        """

    @declared("DELETE", "/api/v1/service_profile/{profile_id}/quota/{quota_type}")
    def remove_quotas(self, profile_id: Id, quota_type: Literal["data", "sms"] | str) -> None:
        """Remove the quotas of all endpoints of a profile.

        Set ``apply_data_quota`` or ``apply_sms_quota`` to False before, or the endpoints are blocked.

        See https://docs.emnify.com/developers/api/service-profiles/delete-quota-by-service-profile-id

        :param profile_id: Id of the profile.
        :param quota_type: ``data`` or ``sms``.
        """

    @declared("PUT", "/api/v1/service_profile/{profile_id}/service/{service_id}")
    def add_service(self, profile_id: Id, service_id: Id) -> None:
        """Let the endpoints of a profile use a service.

        See https://docs.emnify.com/developers/api/service-profiles/service-profile-service-by-profile-and-service-put

        :param profile_id: Id of the profile.
        :param service_id: Id of the service, see ``client.services``.
        """

    @declared("DELETE", "/api/v1/service_profile/{profile_id}/service/{service_id}")
    def remove_service(self, profile_id: Id, service_id: Id) -> None:
        """Take a service without limits from a profile.

        See https://docs.emnify.com/developers/api/service-profiles/service-profile-service-by-profile-and-service-delete

        :param profile_id: Id of the profile.
        :param service_id: Id of the service.
        """

    @declared(
        "PUT",
        "/api/v1/service_profile/{profile_id}/service/{service_id}/traffic_limit/{limit_id}",
        answer="acknowledgement",
    )
    def add_sms_limit(self, profile_id: Id, service_id: Id, limit_id: Id) -> None:
        """Limit the SMS of a profile's endpoints.

        See https://docs.emnify.com/developers/api/service-profiles/add-traffic-limit

        :param profile_id: Id of the profile.
        :param service_id: Id of the SMS service.
        :param limit_id: Id of the limit, see ``client.services.traffic_limits``.
        """

    @declared(
        "DELETE",
        "/api/v1/service_profile/{profile_id}/service/{service_id}/traffic_limit/{limit_id}",
        answer="acknowledgement",
    )
    def remove_sms_limit(self, profile_id: Id, service_id: Id, limit_id: Id) -> None:
        """Limit the SMS of a profile's endpoints no longer.

        See https://docs.emnify.com/developers/api/service-profiles/remove-traffic-limit

        :param profile_id: Id of the profile.
        :param service_id: Id of the SMS service.
        :param limit_id: Id of the limit.
        """

    @declared("GET", "/api/v1/service_profile/{profile_id}/traffic_limit", ids=int)
    def data_limits(self, profile_id: Id) -> Listing:
        """List the data limits of a profile.

        See https://docs.emnify.com/developers/api/service-profiles/list-service-profile-traffic-limits

        :param profile_id: Id of the profile.
        """

    @operation("POST", "/api/v1/service_profile/{profile_id}/traffic_limit")
    def add_data_limit(
        self,
        call: Call,
        profile_id: Id,
        *,
        volume: int,
        service_id: TextId = 38,
        period_id: TextId | None = None,
        satellite_only: bool | None = None,
        warning_percent: int | None = None,
    ) -> Row:
        """Limit the data of a profile's endpoints. To change a limit, remove it first.

        See https://docs.emnify.com/developers/api/service-profiles/add-service-profile-traffic-limit

        :param profile_id: Id of the profile.
        :param volume: How much each may use in the period, in bytes.
        :param service_id: Id of the service; 38 is data, the only one for now.
        :param period_id: Id of the period; 2 is the calendar month in UTC, the only one for now.
        :param satellite_only: Whether only data over satellites counts; emnify's default is no.
        :param warning_percent: Percentage used at which there is an event.
        :returns: The limit, with at least its ``id``.
        """
        find = created_since(lambda: self.data_limits(profile_id), having(volume=volume))
        return call.create(json=call.fields(), find=find, unique=True)

    @declared("DELETE", "/api/v1/service_profile/{profile_id}/traffic_limit/{limit_id}")
    def remove_data_limit(self, profile_id: Id, limit_id: Id) -> None:
        """Remove a data limit of a profile.

        See https://docs.emnify.com/developers/api/service-profiles/delete-service-profile-traffic-limit

        :param profile_id: Id of the profile.
        :param limit_id: Id of the limit.
        """

    @declared("DELETE", "/api/v1/service_profile/{profile_id}/traffic_limit")
    def remove_data_limits(self, profile_id: Id) -> None:
        """Remove all data limits of a profile.

        See https://docs.emnify.com/developers/api/service-profiles/remove-service-profile-traffic-limits

        :param profile_id: Id of the profile.
        """
