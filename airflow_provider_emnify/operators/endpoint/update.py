"""Endpoints (devices) as tasks: create, update, delete, set status, SIMs and network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_emnify.api import EndpointStatus, SimStatus
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.values import parse_id
from airflow_provider_emnify.arguments import (
    check_early,
    is_known,
    parse_bool,
    parse_choice,
    parse_optional_id,
    require_confirmation,
    shorten,
)
from airflow_provider_emnify.links import EmnifyDevicesLink, EmnifySimsLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.endpoint.create import EmnifyCreateEndpointsOperator, usable_status
from airflow_provider_emnify.operators.endpoint.network import (
    EmnifyBlockNetworkOperator,
    EmnifyLocateEndpointsOperator,
    EmnifyResetConnectivityOperator,
    EmnifyUnblockNetworkOperator,
)
from airflow_provider_emnify.operators.endpoint.rows import endpoint_ids as parse_endpoint_ids
from airflow_provider_emnify.operators.endpoint.rows import parse_rows, read_all_endpoints, read_endpoints
from airflow_provider_emnify.operators.endpoint.sim import EmnifyAssignSimOperator, EmnifyReleaseSimOperator
from airflow_provider_emnify.operators.sim.transitions import set_sims, usable_sim_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api.types import Row

_SHARED_CHANGES = (
    "status",
    "service_profile_id",
    "tariff_profile_id",
    "tags",
    "imei_lock",
    "ip_address_space_id",
)
_ROW_CHANGES = frozenset({"id", "name", "sim_id", "imei", "ip_address", *_SHARED_CHANGES})
_SIMS = ("suspend", "delete", "release")


class EmnifyUpdateEndpointsOperator(EmnifyBaseOperator):
    """Change endpoints (devices), 2,000 a request: all in the same way, or each in its own.

    What is sent are the values that shall be, so that the task can run again. After a failed request its
    endpoints are read; the error lists what is changed and what is not. The status of SIMs is set with
    :class:`EmnifySetEndpointStatusOperator`.

    .. code-block:: python

        EmnifyUpdateEndpointsOperator(task_id="plan", endpoint_ids=[7, 8], tariff_profile_id=3)
        EmnifyUpdateEndpointsOperator(task_id="names", endpoints=[{"id": 7, "name": "Pump 7"}])

    :param endpoint_ids: Endpoints that are all changed in the same way, one id or many (templated).
    :param endpoints: Instead of ``endpoint_ids``: a dict for each (templated) with its ``id``, and what
        changes of ``name``, ``sim_id`` (None releases the SIM), ``imei``, ``ip_address`` and of the
        parameters below.
    :param status: ``"enabled"`` or ``"disabled"`` (templated). **The SIM keeps its status: an activated one
        bills on a disabled endpoint too.**
    :param service_profile_id: Service profile (templated).
    :param tariff_profile_id: Tariff profile (templated).
    :param tags: Tags, separated by commas; they replace those there are (templated).
    :param imei_lock: Whether no other device may use the SIM (templated).
    :param ip_address_space_id: Address space (templated).
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids.
    :raises ValueError: when the DAG is parsed, for a row that makes no sense.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/bulk-update-endpoint
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "endpoint_ids", "endpoints", *_SHARED_CHANGES)
    template_fields_renderers: ClassVar[dict[str, str]] = {"endpoints": "json"}
    operator_extra_links = (EmnifyDevicesLink(),)
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        *,
        endpoint_ids: Any = None,
        endpoints: Any = None,
        status: EndpointStatus | int | str | None = None,
        service_profile_id: int | str | None = None,
        tariff_profile_id: int | str | None = None,
        tags: str | None = None,
        imei_lock: bool | str | None = None,
        ip_address_space_id: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint_ids = endpoint_ids
        self.endpoints = endpoints
        self.status = status
        self.service_profile_id = service_profile_id
        self.tariff_profile_id = tariff_profile_id
        self.tags = tags
        self.imei_lock = imei_lock
        self.ip_address_space_id = ip_address_space_id
        shared = [getattr(self, name) for name in _SHARED_CHANGES]
        if (endpoint_ids is None) == (endpoints is None):
            raise ValueError("endpoint_ids, endpoints: give one of them")
        if endpoints is None and all(value is None for value in shared):
            raise ValueError(f"{', '.join(_SHARED_CHANGES)}: give at least one of them to change")
        if endpoints is not None and any(value is not None for value in shared):
            raise ValueError("endpoints: what changes belongs into the rows then, not beside them")
        if is_known(endpoint_ids) and is_known(endpoints) and is_known(shared):
            self._rows()

    def execute(self, context: Context) -> list[int]:
        """Send the changes."""
        del context
        rows = self._rows()
        if not rows:
            self.log.info("No endpoints given: nothing to do")
            return []
        fields = sorted({name for row in rows for name in row} - {"id"})
        ids = [row["id"] for row in rows]
        self.log.info("Changing %s of %d endpoints: %s", ", ".join(fields), len(rows), shorten(ids))
        self.client.endpoints.update_many(rows)
        return ids

    def _rows(self) -> list[Row]:
        if self.endpoints is None:
            shared = {name: getattr(self, name) for name in _SHARED_CHANGES}
            change = _checked({name: value for name, value in shared.items() if value is not None})
            return [{"id": endpoint_id, **change} for endpoint_id in parse_endpoint_ids(self.endpoint_ids)]
        rows = parse_rows(self.endpoints, "endpoints", _ROW_CHANGES)
        for row in rows:
            if row.get("id") is None:
                raise ValueError(f"endpoints: {row!r} has no id")
            if row.keys() == {"id"}:
                raise ValueError(f"endpoints: {row!r} changes nothing")
        return [{"id": parse_id(row["id"], "id"), **_checked(row)} for row in rows]


def _checked(change: Mapping[str, Any]) -> Row:
    """Return a change with its values in their own types; templates render to text."""
    checked: Row = {}
    for name, value in change.items():
        if name == "id":
            continue
        if name == "status":
            checked[name] = usable_status(value)
        elif name == "imei_lock":
            checked[name] = parse_bool(value, name)
        elif name == "sim_id":
            checked[name] = parse_optional_id(value, name)
        else:
            checked[name] = parse_id(value, name) if name.endswith("_id") else value
    return checked


class EmnifyDeleteEndpointsOperator(EmnifyBaseOperator):
    """Delete endpoints (devices), 2,000 a request. Those that do not exist (any more) are done.

    .. code-block:: python

        EmnifyDeleteEndpointsOperator(task_id="retire", endpoint_ids=[7, 8], sims="suspend", confirm=True)

    :param endpoint_ids: One id or many (templated).
    :param sims: What becomes of their SIMs: ``"suspend"`` (default: released and suspended), ``"delete"``
        (**a deleted SIM cannot be recovered**), or ``"release"`` (released and otherwise as they are: **an
        activated one goes on billing**).
    :param confirm: Must be True: a deleted endpoint cannot be brought back.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids; none of them exists now.
    :raises ValueError: when the DAG is parsed, without ``confirm=True``.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/bulk-delete-endpoint
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "endpoint_ids")
    operator_extra_links = (EmnifyDevicesLink(), EmnifySimsLink())
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        *,
        endpoint_ids: Any,
        sims: Literal["suspend", "delete", "release"] = "suspend",
        confirm: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_early(parse_endpoint_ids, endpoint_ids)
        parse_choice(sims, _SIMS, "sims")
        require_confirmation(confirm, "deleting endpoints")
        self.endpoint_ids = endpoint_ids
        self.sims = sims
        self.confirm = confirm

    def execute(self, context: Context) -> list[int]:
        """Look for those that exist, and delete them."""
        del context
        ids = parse_endpoint_ids(self.endpoint_ids)
        found = read_endpoints(self.client, ids) if ids else {}
        there = [key for key in ids if key in found]
        with_sim = [key for key in there if part(found[key], "sim").get("id") is not None]
        self.log.info(
            "Deleting %d endpoints (%s), %d exist no more; %d SIMs: %s",
            len(there),
            shorten(there) or "none",
            len(ids) - len(there),
            len(with_sim),
            self.sims,
        )
        if with_sim and self.sims == "release":
            self.client.endpoints.update_many([{"id": key, "sim_id": None} for key in with_sim])
        if there:
            self.client.endpoints.delete_many(there, delete_sims=self.sims == "delete")
        return ids


class EmnifySetEndpointStatusOperator(EmnifyBaseOperator):
    """Enable or disable endpoints (devices), and activate or suspend their SIMs in the same task.

    emnify bills an activated SIM whether its endpoint is enabled or not: the two statuses are two calls.
    Everything is read first. What is there already is skipped, so that the task can run again; an endpoint
    that does not exist, one without a SIM, or a SIM that may not change like that fails the task before
    anything is changed. Endpoints are changed 2,000 a request, then SIMs one by one. Note that emnify moves a
    Factory-test SIM to Activated when its endpoint's status changes.

    .. code-block:: python

        EmnifySetEndpointStatusOperator(
            task_id="pause", endpoint_ids=[7, 8], status="disabled", sim_status="suspended"
        )

    :param endpoint_ids: One id or many (templated).
    :param status: ``"enabled"`` or ``"disabled"`` (templated).
    :param sim_status: ``"activated"``, ``"suspended"`` or ``"factory_test"`` (templated); by default SIMs
        stay as they are. A suspended SIM is free from the next month on.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids.
    :raises AirflowFailException: when it cannot be done, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/bulk-update-endpoint
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "endpoint_ids", "status", "sim_status")
    operator_extra_links = (EmnifyDevicesLink(), EmnifySimsLink())
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        *,
        endpoint_ids: Any,
        status: EndpointStatus | int | str,
        sim_status: SimStatus | int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_early(parse_endpoint_ids, endpoint_ids)
        check_early(usable_status, status)
        check_early(usable_sim_status, sim_status)
        self.endpoint_ids = endpoint_ids
        self.status = status
        self.sim_status = sim_status

    def execute(self, context: Context) -> list[int]:
        """Read everything, then change what differs."""
        del context
        ids = parse_endpoint_ids(self.endpoint_ids)
        status, sim_status = usable_status(self.status), usable_sim_status(self.sim_status)
        if not ids:
            self.log.info("No endpoints given: nothing to do")
            return []
        rows = read_all_endpoints(self.client, ids)
        change = [key for key in ids if status_of(rows[key]) != status]
        sims = [] if sim_status is None else _sims_to_change(rows, set(change), sim_status)
        self.log.info(
            "Setting %d endpoints to %s (%s), %d are so already",
            len(change),
            status.label,
            shorten(change) or "none",
            len(ids) - len(change),
        )
        if change:
            self.client.endpoints.update_many([{"id": key, "status": status} for key in change])
        if sim_status is not None:
            set_sims(self, sims, sim_status)
        return ids


def _sims_to_change(rows: Mapping[int, Row], changing: set[int], target: SimStatus) -> list[int]:
    """Return the SIMs that are to be changed.

    :param changing: The endpoints whose own status is changed first.
    :raises ValueError: naming every endpoint where that is not possible.
    """
    sims, reasons = [], []
    for key, row in rows.items():
        sim = part(row, "sim")
        if sim.get("id") is None:
            reasons.append(f"endpoint {key} has no SIM")
            continue
        now = SimStatus.parse(status_of(sim))
        if now is SimStatus.FACTORY_TEST and key in changing:
            now = SimStatus.ACTIVATED  # by the change of the endpoint
        if not now.may_become(target):
            reasons.append(
                f"SIM {sim['id']} of endpoint {key} is {now.label}, which cannot become {target.label}"
            )
        elif now is not target:
            sims.append(int(sim["id"]))
    if reasons:
        raise ValueError(f"sim_status: {shorten(reasons)}; nothing was changed")
    return sims


__all__ = [
    "EmnifyAssignSimOperator",
    "EmnifyBlockNetworkOperator",
    "EmnifyCreateEndpointsOperator",
    "EmnifyDeleteEndpointsOperator",
    "EmnifyLocateEndpointsOperator",
    "EmnifyReleaseSimOperator",
    "EmnifyResetConnectivityOperator",
    "EmnifySetEndpointStatusOperator",
    "EmnifyUnblockNetworkOperator",
    "EmnifyUpdateEndpointsOperator",
]
