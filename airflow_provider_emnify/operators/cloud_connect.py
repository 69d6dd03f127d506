"""Cloud Connect as tasks: create and delete private connections to emnify's network."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from airflow_provider_emnify.airflow_names import Context, XComArg
from airflow_provider_emnify.api.enums import CloudConnectStatus
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.resources.few import find_by_id_or_name, find_by_name
from airflow_provider_emnify.api.resources.fields import given
from airflow_provider_emnify.api.transport.answers import moment_in, number, part
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.arguments import (
    Argument,
    OneId,
    matching,
    optional,
    parse_choice,
    parse_id_or_name,
    parse_ip_address,
    parse_optional_id,
    parse_text,
    require_confirmation,
)
from airflow_provider_emnify.hooks.masking import masked_connection
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.base.waiting import EmnifyWaitingOperator
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once

Networks = str | Iterable[str] | XComArg

_WHAT = "attachment"
# Of each type: emnify's number, what it needs, and what it takes beside that.
_TYPES = {
    "tgw": (1, ("region", "aws_account_id", "vpc_cidr"), ()),
    "vpn": (2, ("public_ip", "on_prem_cidr"), ("region", "psk_conn_id")),
    "vpn_bgp": (3, ("public_ip", "on_prem_cidr", "asn"), ("region", "psk_conn_id", "inside_cidr")),
}
_FIELDS = tuple(dict.fromkeys(field for _, needs, takes in _TYPES.values() for field in (*needs, *takes)))
_ENDING = (
    CloudConnectStatus.DEACTIVATION_PENDING,
    CloudConnectStatus.DEACTIVATED,
    CloudConnectStatus.ROLLING_BACK,
)
_MOST_NETWORKS = 3
_PSK = re.compile(r"[A-Za-z1-9._][A-Za-z0-9._]{7,63}")


def _all_networks(value: Any, field: str) -> list[str]:
    """Return address ranges: of a list, one text, or the text that a template renders a list to.

    :raises ValueError: for what is none, and for none at all.
    """
    text = " ".join(map(str, value)) if isinstance(value, (list, tuple, set)) else value
    items = re.findall(r"[^\s,'\"\[\]]+", text) if isinstance(text, str) else []
    if not items:
        raise ValueError(f"{field}: {value!r} is not a valid address range; give one like 10.8.0.0/16")
    for item in items:
        try:
            ipaddress.ip_network(item)
        except ValueError as error:
            raise ValueError(f"{field}: {item!r} is not a valid address range ({error})") from None
    return items


def _networks(value: Any, field: str) -> list[str]:
    items = _all_networks(value, field)
    if len(items) > _MOST_NETWORKS:
        raise ValueError(f"{field}: {len(items)} address ranges; emnify takes up to {_MOST_NETWORKS}")
    return items


class EmnifyCreateCloudConnectOperator(EmnifyWaitingOperator):
    """Create a Cloud Connect attachment: a private connection between emnify's network and one's own.

    **It bills.** An attachment is known by its name: it is looked for first, so that a task that runs again
    creates no second one. Overlapping runs wait for each other as far as they share a host or a Redis
    (``rate_limit_store``); keep others apart with ``max_active_runs=1`` or ``max_active_tis_per_dag=1``.

    A transit gateway is an offer: accept the resource share in the AWS account and attach it to the VPC
    within seven days. A task that runs again after that makes the offer again. A VPN is there in 3 to 5
    minutes. The pre-shared key of a VPN is a secret: it comes from an Airflow connection, and stands in no
    argument, log or result.

    .. code-block:: python

        EmnifyCreateCloudConnectOperator(
            task_id="vpn",
            name="office",
            type="vpn",
            public_ip="203.0.113.7",
            on_prem_cidr=["10.8.0.0/16"],
            psk_conn_id="office_vpn",
            wait_for_completion=True,
            deferrable=True,
        )

    :param name: Name of the attachment (templated).
    :param type: ``"tgw"`` (transit gateway), ``"vpn"`` (IPSec VPN with static routes) or ``"vpn_bgp"`` (IPSec
        VPN with BGP).
    :param region: AWS region (templated); needed for a transit gateway.
    :param aws_account_id: The own AWS account, 12 digits (templated); needed for a transit gateway.
    :param vpc_cidr: Address ranges of the VPC, one or many (templated); needed for a transit gateway.
    :param public_ip: Public IP address of the own VPN server (templated); needed for a VPN.
    :param on_prem_cidr: Up to three address ranges of the own network (templated); needed for a VPN.
    :param asn: Autonomous system number (templated); needed for BGP.
    :param inside_cidr: Up to three address ranges (/30) of the tunnels, for BGP (templated).
    :param psk_conn_id: The Airflow connection whose password is the pre-shared key of a VPN: 8 to 64 letters,
        digits, ``.`` and ``_``, the first not 0 (templated). Without it AWS makes one, which the hook's
        client reads with ``cloud_connect.get``.
    :param description: What it is for (templated).
    :param if_exists: ``"skip"`` (default): use an attachment of the name as it is; ``"fail"``: fail, except
        for one that an earlier try of this task created (since the DAG run started).
    :param wait_for_completion: Wait until the attachment is active (default False).
    :param deferrable: Wait in the triggerer instead of in a worker. Default: ``[operators]
        default_deferrable``.
    :param poll_interval: Seconds (or a timedelta) between two looks. Default 60.
    :param timeout: Seconds (or a timedelta) until the wait times out; the attachment stays. Default 8 days.
    :param on_timeout: When time runs out, ``"fail"`` (default), or ``"return"`` the status, by id.
    :param emnify_conn_id: The connection to emnify.
    :returns: The attachment's id.
    :raises ValueError: when the DAG is parsed, for what the type needs and does not take.
    :raises AirflowFailException: when the attachment is rolled back, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/cloud-connect/create-cloud-connect-attachment-vpn
    """

    idempotent: ClassVar[bool] = True

    name = Argument(parse_text)
    type = Argument(parse_choice(*_TYPES), templated=False)
    region = Argument(optional(parse_text))
    aws_account_id = Argument(optional(matching(r"\d{12}", "AWS account; it has 12 digits")))
    vpc_cidr = Argument(optional(_all_networks))
    public_ip = Argument(optional(parse_ip_address))
    on_prem_cidr = Argument(optional(_networks))
    asn = Argument(parse_optional_id)
    inside_cidr = Argument(optional(_networks))
    psk_conn_id = Argument(optional(parse_text))
    description = Argument(optional(parse_text))
    if_exists = Argument(parse_choice("skip", "fail"), templated=False)

    def __init__(
        self,
        *,
        name: str,
        type: Literal["tgw", "vpn", "vpn_bgp"],
        region: str | None = None,
        aws_account_id: OneId | None = None,
        vpc_cidr: Networks | None = None,
        public_ip: str | None = None,
        on_prem_cidr: Networks | None = None,
        asn: OneId | None = None,
        inside_cidr: Networks | None = None,
        psk_conn_id: str | None = None,
        description: str | None = None,
        if_exists: Literal["skip", "fail"] = "skip",
        wait_for_completion: bool = False,
        timeout: float | timedelta = timedelta(days=8),
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        self._fields()

    def execute(self, context: Context) -> Any:
        """Look for the attachment, then create it or do what ``if_exists`` says."""
        name, wanted = self.name, self._fields()
        client = self.client
        attempt = Attempt(self, context)
        there, is_new = create_once(
            attempt,
            lock=("Cloud Connect", name),
            look=lambda: [*client.cloud_connect.list()],
            decide=lambda rows, _: find_by_name(_alive(rows), name, _WHAT),
            create=lambda _: self._create(name, wanted),
            always_look=True,
        )
        if is_new:
            return self._leave(int(there["id"]))
        if number(part(there, "type"), "id") not in {None, _TYPES[self.type][0]}:
            raise ValueError(
                f"name: attachment {there['id']} is named {name!r} and is not of type {self.type}; give "
                "another name"
            )
        if self.if_exists == "fail" and not attempt.created(there):
            raise ValueError(
                f"name: attachment {there['id']} is named {name!r}, created {there.get('creation_date')}; "
                "set if_exists='skip' to go on with it"
            )
        self.log.info("Attachment %s exists as %s: nothing to create", name, there["id"])
        if _has_expired(there):
            self.log.info("The resource share of attachment %s has expired: offering it again", there["id"])
            client.cloud_connect.retry(there["id"])
        return self._leave(there["id"])

    def _create(self, name: str, wanted: Row) -> Row:
        psk_conn_id = wanted.pop("psk_conn_id", None)
        about = {"name": name, "description": self.description, **wanted}
        self.log.info("Creating attachment %s (%s), which emnify bills", name, self.type)
        resource, rest = self.client.cloud_connect, ""
        if self.type == "tgw":
            created = resource.create_transit_gateway(**about)
            rest = (
                f": accept the resource share in AWS account {wanted['aws_account_id']} and attach it to the "
                "VPC within seven days"
            )
        else:
            psk = None if psk_conn_id is None else _psk(psk_conn_id)
            created = resource.create_vpn(**about, type_id=_TYPES[self.type][0], psk=psk)
        self.log.info("Created attachment %s as %s%s", name, created["id"], rest)
        return created

    def _leave(self, attachment_id: int) -> Any:
        wait = Wait("cloud_connect", str(attachment_id), CloudConnectStatus.ACTIVE)
        return self.wait_until(wait, attachment_id)

    def _fields(self) -> Row:
        """Return what is given of what the type takes.

        :raises ValueError: for what the type does not take, and for what it needs and has not.
        """
        _, needs, takes = _TYPES[self.type]
        fields = given(**{field: getattr(self, field) for field in _FIELDS})
        missing = [field for field in needs if field not in fields]
        surplus = [field for field in fields if field not in (*needs, *takes)]
        if missing:
            raise ValueError(f"{', '.join(missing)}: needed for type {self.type!r}")
        if surplus:
            raise ValueError(f"{', '.join(surplus)}: not for type {self.type!r}")
        return fields


class EmnifyDeleteCloudConnectOperator(EmnifyBaseOperator):
    """Delete a Cloud Connect attachment. One that does not exist (any more), or is being deleted, is done.

    .. code-block:: python

        EmnifyDeleteCloudConnectOperator(task_id="remove", attachment_id="office", confirm=True)

    :param attachment_id: The attachment's id or name (templated).
    :param confirm: Must be True: the connection is cut, and a deleted attachment cannot be brought back.
    :param emnify_conn_id: The connection to emnify.
    :returns: The id of the attachment that is gone, in a list; an empty one for a name that none has.
    :raises ValueError: when the DAG is parsed, without ``confirm=True``.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/cloud-connect/delete-cloud-connect-attachment
    """

    idempotent: ClassVar[bool] = True

    attachment_id = Argument(parse_id_or_name)
    confirm = Argument(require_confirmation("deleting a Cloud Connect attachment"), templated=False)

    def __init__(self, *, attachment_id: OneId, confirm: bool = False, **kwargs: Any) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> list[int]:
        """Look for the attachment, and delete it."""
        connect, wanted = self.client.cloud_connect, self.attachment_id

        def look() -> Row | None:
            return find_by_id_or_name(_alive(connect.list()), wanted, _WHAT)

        return self.delete_one(look, wanted, _WHAT, connect.delete)


def _alive(rows: Iterable[Row]) -> Rows:
    """Return those that are not being deleted."""
    return [row for row in rows if status_of(row) not in _ENDING]


def _has_expired(row: Row) -> bool:
    """Tell whether a transit gateway was not accepted in time, so that it has to be offered again."""
    until = moment_in(row, "accept_attachment_expiry_date")
    is_pending = status_of(row) == CloudConnectStatus.PENDING_AWS_ACTIVATION
    return is_pending and until is not None and until < datetime.now(UTC)


def _psk(conn_id: str) -> str:
    """Return the pre-shared key that an Airflow connection holds.

    :raises ValueError: when it is none; the message does not show it.
    """
    psk = masked_connection(conn_id).password or ""
    if not _PSK.fullmatch(psk):
        raise ValueError(
            f"psk_conn_id: the password of connection '{conn_id}' is not a valid pre-shared key; that has 8 "
            "to 64 letters, digits, '.' and '_', and does not begin with 0"
        )
    return psk
