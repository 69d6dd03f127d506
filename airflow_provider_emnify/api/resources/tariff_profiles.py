"""Tariff profiles: where endpoints may roam, and at what price."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.resources.operation import Listing, Resource, declared
from airflow_provider_emnify.api.types import Id, Ids, Row


class TariffProfiles(Resource):
    """The tariff profiles of an organisation, as ``client.tariff_profiles``."""

    @declared("GET", "/api/v1/tariff_profile", ids=int)
    def list(self) -> Listing:
        """List the tariff profiles.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-get
        """

    @declared("POST", "/api/v1/tariff_profile", ids=int, known_by=("name",))
    def create(self, *, name: str, tariff_id: Id, description: str = "") -> Row:
        """Create a tariff profile.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-post

        :param name: Name of the profile.
        :param tariff_id: Id of the tariff.
        :param description: What it is for.
        :returns: The profile, with at least its ``id``.
        """

    @declared("GET", "/api/v1/tariff_profile/{tariff_profile_id}", ids=int)
    def get(self, tariff_profile_id: Id) -> Row:
        """Return a tariff profile with its ratezones and rates.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-by-id-get

        :param tariff_profile_id: Id of the profile.
        """

    @declared("PATCH", "/api/v1/tariff_profile/{tariff_profile_id}")
    def update(
        self,
        tariff_profile_id: Id,
        *,
        name: str | None = None,
        description: str | None = None,
        tariff_id: Id | None = None,
    ) -> None:
        """Change a tariff profile; only what is given is changed.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-by-id-patch

        :param tariff_profile_id: Id of the profile.
        :param name: Name of the profile.
        :param description: What it is for.
        :param tariff_id: Id of the tariff. A new one removes the selection of ratezones.
        """

    @declared("DELETE", "/api/v1/tariff_profile/{tariff_profile_id}")
    def delete(self, tariff_profile_id: Id) -> None:
        """Delete a tariff profile that no endpoint uses.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-by-id-delete

        :param tariff_profile_id: Id of the profile.
        """

    @declared("GET", "/api/v1/tariff_profile/{tariff_profile_id}/coverage")
    def coverage(self, tariff_profile_id: Id) -> Listing:
        """List the countries where a tariff profile can be used.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-coverage-by-tp-id-get

        :param tariff_profile_id: Id of the profile.
        """

    @declared("PUT", "/api/v1/tariff_profile/{tariff_profile_id}/inclusive_volume/{inclusive_volume_id}")
    def assign_inclusive_volume(self, tariff_profile_id: Id, inclusive_volume_id: Id) -> None:
        """Have the traffic of a tariff profile counted against an inclusive volume.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-inclusive-volume-assignment

        :param tariff_profile_id: Id of the profile, which has none yet.
        :param inclusive_volume_id: Id of the inclusive volume, of a ratezone of the profile's tariff.
        """

    @declared("DELETE", "/api/v1/tariff_profile/{tariff_profile_id}/inclusive_volume/{inclusive_volume_id}")
    def unassign_inclusive_volume(self, tariff_profile_id: Id, inclusive_volume_id: Id) -> None:
        """Have the traffic of a tariff profile counted against an inclusive volume no longer.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-inclusive-volume-remove-assignment

        :param tariff_profile_id: Id of the profile.
        :param inclusive_volume_id: Id of the inclusive volume.
        """

    @declared("PUT", "/api/v1/tariff_profile/{tariff_profile_id}/ratezone_selection/{ratezone_id}")
    def assign_ratezone(self, tariff_profile_id: Id, ratezone_id: Id) -> None:
        """Let the endpoints of a tariff profile roam in a ratezone.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-ratezone-selection-by-tp-id-and-rz-id-put

        :param tariff_profile_id: Id of the profile.
        :param ratezone_id: Id of the ratezone, which must be active.
        """

    @declared("DELETE", "/api/v1/tariff_profile/{tariff_profile_id}/ratezone_selection/{ratezone_id}")
    def remove_ratezone(self, tariff_profile_id: Id, ratezone_id: Id) -> None:
        """Let the endpoints of a tariff profile roam in a ratezone no longer.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-ratezone-selection-by-tp-id-and-rz-id-delete

        :param tariff_profile_id: Id of the profile.
        :param ratezone_id: Id of the ratezone.
        """

    @declared("GET", "/api/v2/tariff_profile/{tariff_profile_id}/operator_blocklist/operator")
    def blocked_operators(self, tariff_profile_id: Id) -> Any:
        """Return the network operators that are blocked for a tariff profile, wholly or by technology.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-operator-block-list-operator-get

        :param tariff_profile_id: Id of the profile.
        """

    @declared("GET", "/api/v2/tariff_profile/{tariff_profile_id}/operator_blocklist/operator/{operator_id}")
    def blocked_operator(self, tariff_profile_id: Id, operator_id: Id) -> Row:
        """Return what of one network operator is blocked for a tariff profile.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-operator-block-operator-by-id-get

        :param tariff_profile_id: Id of the profile.
        :param operator_id: Id of the operator, see ``client.operators``.
        """

    @declared("PUT", "/api/v2/tariff_profile/{tariff_profile_id}/operator_blocklist/operator/{operator_id}")
    def block_operator(self, tariff_profile_id: Id, operator_id: Id) -> None:
        """Keep the endpoints of a tariff profile from a network operator.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-operator-block-operator-by-id-put

        :param tariff_profile_id: Id of the profile.
        :param operator_id: Id of the operator.
        """

    @declared(
        "DELETE", "/api/v2/tariff_profile/{tariff_profile_id}/operator_blocklist/operator/{operator_id}"
    )
    def unblock_operator(self, tariff_profile_id: Id, operator_id: Id) -> None:
        """Let the endpoints of a tariff profile use a network operator, but for its blocked technologies.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-operator-block-operator-by-id-delete

        :param tariff_profile_id: Id of the profile.
        :param operator_id: Id of the operator.
        """

    @declared(
        "POST",
        "/api/v2/tariff_profile/{tariff_profile_id}/operator_blocklist/operator/{operator_id}/rat_type",
    )
    def block_rat_types(self, tariff_profile_id: Id, operator_id: Id, *, rat_type_ids: Ids) -> None:
        """Keep the endpoints of a tariff profile from some technologies of a network operator.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-operator-block-operator-by-id-rat-type-post

        :param tariff_profile_id: Id of the profile.
        :param operator_id: Id of the operator.
        :param rat_type_ids: Ids of the radio access technologies, see ``client.lookups.rat_types``.
        """

    @declared(
        "DELETE",
        "/api/v2/tariff_profile/{tariff_profile_id}/operator_blocklist/operator/{operator_id}/rat_type/{rate_type_id}",
    )
    def unblock_rat_type(self, tariff_profile_id: Id, operator_id: Id, rat_type_id: Id) -> None:
        """Let the endpoints of a tariff profile use a technology of a network operator again.

        See https://docs.emnify.com/developers/api/tariff-profiles/tariff-profile-operator-block-operator-by-id-rat-type-by-id-delete

        :param tariff_profile_id: Id of the profile.
        :param operator_id: Id of the operator.
        :param rat_type_id: Id of the radio access technology.
        """
