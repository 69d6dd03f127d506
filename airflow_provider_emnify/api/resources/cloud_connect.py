"""Cloud Connect: private connections between emnify's network and one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.types import Id, Row, Rows, TextId

_TRANSIT_GATEWAY = "1"


class CloudConnect(Resource):
    """The Cloud Connect attachments of an organisation, as ``client.cloud_connect``."""

    @declared("GET", "/api/v1/cnc/breakout", ids=int)
    def list(
        self,
        *,
        status: int | str | None = None,
        type: int | str | None = None,
        organisation_id: Id | None = None,
    ) -> Listing:
        """List the attachments of an enterprise, or those of a master organisation's direct children.

        See https://docs.emnify.com/developers/api/cloud-connect/get-cloud-connect-attachments

        :param status: 1 to 4 pending, 5 active, 6 deactivation pending, 7 deactivated, 8 rolling back.
            Without it: all but the deleted ones.
        :param type: 1 transit gateway, 2 IPSec VPN, 3 IPSec VPN with BGP, 4 the same highly available,
            5 direct connect, 6 shared, 7 transit gateway (classic), 8 IPSec VPN (classic).
        :param organisation_id: Only those of this child organisation.
        """

    @operation("POST", "/api/v1/cnc/breakout/tgw", known_by=("name",))
    def create_transit_gateway(
        self,
        call: Call,
        *,
        name: str,
        region: str,
        aws_account_id: str,
        vpc_cidr: Sequence[str],
        description: str | None = None,
    ) -> Row:
        """Create an attachment by AWS transit gateway. **It bills.**

        Accept the resource share in the AWS account, and create a transit gateway attachment to the VPC
        there, within seven days.

        See https://docs.emnify.com/developers/api/cloud-connect/create-cloud-connect-attachment-tgw

        :param name: Name of the attachment.
        :param region: AWS region, see :meth:`available_regions`.
        :param aws_account_id: The own AWS account, 12 digits.
        :param vpc_cidr: Address ranges of the VPC in CIDR notation.
        :param description: What it is for.
        :returns: The attachment, with at least its ``id``.
        """
        account = call.arguments.pop("aws_account_id")
        return call.create(json={"type": _TRANSIT_GATEWAY, "aws_account_id": account, **call.fields()})

    @declared(
        "POST",
        "/api/v1/cnc/breakout/vpn",
        known_by=("name",),
        secret_arguments=("psk",),
        secret_fields=("psk",),
    )
    def create_vpn(
        self,
        *,
        name: str,
        public_ip: str,
        on_prem_cidr: Sequence[str],
        type_id: TextId = 2,
        region: str | None = None,
        psk: str | None = None,
        asn: int | None = None,
        inside_cidr: Sequence[str] | None = None,
        description: str | None = None,
    ) -> Row:
        """Create an attachment by IPSec VPN. It is there in 3 to 5 minutes. **It bills.**

        See https://docs.emnify.com/developers/api/cloud-connect/create-cloud-connect-attachment-vpn

        :param name: Name of the attachment.
        :param public_ip: Public IP address of the own VPN server.
        :param on_prem_cidr: Up to three address ranges of the own network in CIDR notation.
        :param type_id: 2 for static routes, 3 for BGP.
        :param region: AWS region, see :meth:`available_regions`.
        :param psk: Pre-shared key, a secret: 8 to 64 letters, digits, ``.`` and ``_``, the first not 0.
            Without it: one is made.
        :param asn: Autonomous system number, needed for BGP.
        :param inside_cidr: Address ranges of the tunnels, for BGP.
        :param description: What it is for.
        :returns: The attachment, with at least its ``id``.
        """

    @declared("GET", "/api/v1/cnc/breakout/{cloudconnect_attachment_id}", secret=True, ids=int)
    def get(self, attachment_id: TextId) -> Any:
        """Return an attachment; an active VPN with its tunnels, their metrics and the pre-shared key.

        See https://docs.emnify.com/developers/api/cloud-connect/get-cloud-connect-attachment-by-id

        :param attachment_id: Id of the attachment.
        :returns: The attachment, as emnify says in a list of one; it holds a secret.
        """

    @declared("DELETE", "/api/v1/cnc/breakout/{cloudconnect_attachment_id}", answer="acknowledgement")
    def delete(self, attachment_id: TextId) -> None:
        """Delete an attachment that is neither deactivated nor rolling back nor classic.

        See https://docs.emnify.com/developers/api/cloud-connect/delete-cloud-connect-attachment

        :param attachment_id: Id of the attachment.
        """

    @declared(
        "PATCH",
        "/api/v1/cnc/breakout/{cloudconnect_attachment_id}",
        idempotent=False,
        answer="acknowledgement",
    )
    def retry(self, attachment_id: TextId) -> None:
        """Offer a transit gateway once more that was not accepted within seven days.

        See https://docs.emnify.com/developers/api/cloud-connect/retry-cloud-connect-attachment

        :param attachment_id: Id of the attachment, which is pending AWS activation (2).
        """

    @declared("GET", "/api/v1/cnc/breakout_type", ids=int)
    def breakout_types(self) -> Rows:
        """Return the types of attachments.

        See https://docs.emnify.com/developers/api/cloud-connect/get-cloud-connect-breakout-types
        """

    @declared("GET", "/api/v1/cnc/breakout_type/{breakout_type_id}/available_region")
    def available_regions(self, breakout_type_id: Id) -> Rows:
        """Return the regions where attachments of a type can be created.

        See https://docs.emnify.com/developers/api/cloud-connect/get-cloud-connect-available-regions-by-breakout-type

        :param breakout_type_id: Id of the type, see :meth:`breakout_types`.
        """

    @declared("GET", "/api/v1/cnc/pricing", ids=int)
    def prices(self) -> Rows:
        """Return the monthly prices of attachments.

        See https://docs.emnify.com/developers/api/cloud-connect/list-cloud-connect-custom-prices
        """
