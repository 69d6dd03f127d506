"""Endpoints (devices) as tasks: create, update, delete, set status, SIMs and network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from airflow_provider_emnify.airflow_names import Context, XComArg
from airflow_provider_emnify.api import EndpointStatus, SimStatus
from airflow_provider_emnify.api.resources.bulk import read_ref, read_status, status_of
from airflow_provider_emnify.api.resources.fields import given
from airflow_provider_emnify.api.secrets.names import show
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import is_nothing, parse_bool, parse_id, parse_ids
from airflow_provider_emnify.arguments import (
    NOT_GIVEN,
    Argument,
    GivenRows,
    Ids,
    OneId,
    optional,
    parse_choice,
    parse_label,
    parse_optional_id,
    require_confirmation,
    shorten,
)
from airflow_provider_emnify.links import EmnifyDevicesLink, EmnifySimsLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.base.only_if import EndpointsOperator, OnlyIf
from airflow_provider_emnify.operators.endpoint.rows import (
    parse_rows,
    parse_status,
    read_all_endpoints,
    read_endpoints,
)
from airflow_provider_emnify.operators.sim.transitions import parse_sim_status, set_sims, sims_to_change

_SHARED_CHANGES: dict[str, Callable[[Any, str], Any]] = {
    "status": parse_status,
    "service_profile_id": parse_id,
    "tariff_profile_id": parse_id,
    "tags": parse_label,
    "imei_lock": parse_bool,
    "ip_address_space_id": parse_id,
}
_NOTHING = f"{', '.join(_SHARED_CHANGES)}: give at least one of them to change"
_ROW_CHANGES = {
    **_SHARED_CHANGES,
    **dict.fromkeys(("name", "imei", "ip_address"), parse_label),
    "id": parse_id,
    "sim_id": parse_optional_id,
}


def _parse_tags(value: Any, field: str) -> str | None:
    """Return the tags that shall be: ``""`` for none of them, None where they stay."""
    return value if isinstance(value, str) and not value else optional(parse_label)(value, field)


def _parse_changes(value: Any, field: str) -> list[Row]:
    rows = parse_rows(value, field, _ROW_CHANGES)
    for row in rows:
        if "id" not in row:
            raise ValueError(f"{field}: {row!r} has no id")
        if row.keys() == {"id"}:
            raise ValueError(f"{field}: {row!r} changes nothing")
    return rows


class EmnifyUpdateEndpointsOperator(OnlyIf, EmnifyBaseOperator):
    """Change endpoints (devices), 2,000 a request: all in the same way, or each in its own.

    What is sent are the values that shall be, so that the task can run again. After a failed request its
    endpoints are read; the error lists what is changed and what is not. The status of SIMs is set with
    :class:`EmnifySetEndpointStatusOperator`.

    .. code-block:: python

        EmnifyUpdateEndpointsOperator(task_id="plan", endpoint_ids=[7, 8], tariff_profile_id=3)
        EmnifyUpdateEndpointsOperator(task_id="names", endpoints=[{"id": 7, "name": "Pump 7"}])

    :param endpoint_ids: Endpoints that are all changed in the same way, one id or many (templated); or else
        ``select``, with ``max_selected`` and ``fail_if_empty``, see
        :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
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
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids.
    :raises ValueError: when the DAG is parsed, for a row that makes no sense.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/bulk-update-endpoint
    """

    template_fields_renderers: ClassVar[dict[str, str]] = {"endpoints": "json"}
    operator_extra_links = (EmnifyDevicesLink(),)
    idempotent: ClassVar[bool] = True

    endpoint_ids = Argument(parse_ids)
    endpoints = Argument(_parse_changes)
    status = Argument(optional(parse_status))
    service_profile_id = Argument(parse_optional_id)
    tariff_profile_id = Argument(parse_optional_id)
    tags = Argument(_parse_tags)
    imei_lock = Argument(optional(parse_bool))
    ip_address_space_id = Argument(parse_optional_id)

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = None,
        endpoints: GivenRows | None = None,
        status: EndpointStatus | int | str | XComArg | None = None,
        service_profile_id: OneId | None = None,
        tariff_profile_id: OneId | None = None,
        tags: str | XComArg | None = None,
        imei_lock: bool | str | XComArg | None = None,
        ip_address_space_id: OneId | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        shared = self._shared()
        if sum(given is not None for given in (endpoint_ids, self.select, endpoints)) != 1:
            raise ValueError("endpoint_ids, select, endpoints: give one of them")
        if endpoints is None and not shared:
            raise ValueError(_NOTHING)
        if endpoints is not None and shared:
            raise ValueError("endpoints: what changes belongs into the rows then, not beside them")
        if endpoints is not None and self.only_if is not None:
            raise ValueError("only_if: it goes with endpoint_ids or select, not with endpoints")

    def _shared(self) -> Row:
        """Return what is changed in all."""
        return given(**{name: getattr(self, name) for name in _SHARED_CHANGES})

    def execute(self, context: Context) -> list[int]:
        """Send the changes."""
        rows: Rows = self.endpoints or [{"id": key, **self._shared()} for key in self.endpoint_ids]
        fields = sorted({name for row in rows for name in row} - {"id"})
        ids = [row["id"] for row in rows]
        if rows and not fields:
            raise ValueError(_NOTHING)
        shown = shorten(fields) if self.endpoints else show(self._shared())
        self.log.info("Changing %s of %d endpoints: %s", shown, len(rows), shorten(ids))
        self.client.endpoints.update_many(rows)
        return ids


class EmnifyDeleteEndpointsOperator(EndpointsOperator):
    """Delete endpoints (devices), 2,000 a request. Those that do not exist (any more) are done.

    .. code-block:: python

        EmnifyDeleteEndpointsOperator(task_id="retire", endpoint_ids=[7, 8], sims="suspend", confirm=True)

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param sims: What becomes of their SIMs: ``"suspend"`` (default: released and suspended), ``"delete"``
        (**a deleted SIM cannot be recovered**), or ``"release"`` (released and otherwise as they are: **an
        activated one goes on billing**).
    :param confirm: Must be True: a deleted endpoint cannot be brought back.
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids; none of them exists now.
    :raises ValueError: when the DAG is parsed, without ``confirm=True``.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/bulk-delete-endpoint
    """

    operator_extra_links = (EmnifyDevicesLink(), EmnifySimsLink())
    idempotent: ClassVar[bool] = True

    sims = Argument(parse_choice("suspend", "delete", "release"), templated=False)
    confirm = Argument(require_confirmation("deleting endpoints"), templated=False)

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = NOT_GIVEN,
        sims: Literal["suspend", "delete", "release"] = "suspend",
        confirm: bool = False,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        if sims == "release":
            self.restrict_only_if("sims='release'", EndpointStatus.ENABLED, EndpointStatus.DISABLED)

    def execute(self, context: Context) -> list[int]:
        """Look for those that exist, and delete them."""
        ids = self.endpoint_ids
        found = read_endpoints(self.client, ids) if self.looked_at is None else self.looked_at
        there = [key for key in ids if key in found]
        with_sim = [key for key in there if part(found[key], "sim").get("id") is not None]
        self.log_change("Deleting endpoints", there, len(ids), "exist no more")
        self.log.info("%d of them have a SIM: %s", len(with_sim), self.sims)
        if self.sims == "release":
            self.client.endpoints.update_many([{"id": key, "sim_id": None} for key in with_sim])
        self.client.endpoints.delete_many(there, delete_sims=self.sims == "delete")
        return ids


class EmnifySetEndpointStatusOperator(EndpointsOperator):
    """Enable or disable endpoints (devices), and activate or suspend their SIMs in the same task.

    emnify bills an activated SIM whether its endpoint is enabled or not: the two statuses are two calls.
    Everything is read first. What is there already is skipped, so that the task can run again; an endpoint
    that does not exist, one without a SIM, or a SIM that may not change like that fails the task before
    anything is changed. Endpoints are changed 2,000 a request, then SIMs one by one; SIMs first where
    ``select`` goes by the endpoints' ``status``, so that a retry selects what is not done. Note that emnify
    moves a Factory-test SIM to Activated when its endpoint's status changes: with one of them, endpoints are
    first.

    .. code-block:: python

        EmnifySetEndpointStatusOperator(
            task_id="pause", endpoint_ids=[7, 8], status="disabled", sim_status="suspended"
        )

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param status: ``"enabled"`` or ``"disabled"`` (templated).
    :param sim_status: ``"activated"``, ``"suspended"`` or ``"factory_test"`` (templated); by default SIMs
        stay as they are. A suspended SIM is free from the next month on.
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids.
    :raises AirflowFailException: when it cannot be done, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/bulk-update-endpoint
    """

    operator_extra_links = (EmnifyDevicesLink(), EmnifySimsLink())
    idempotent: ClassVar[bool] = True

    status = Argument(parse_status)
    sim_status = Argument(optional(parse_sim_status))

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = NOT_GIVEN,
        status: EndpointStatus | int | str | XComArg,
        sim_status: SimStatus | int | str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        if not is_nothing(sim_status):
            self.restrict_only_if("sim_status", SimStatus.ISSUED, SimStatus.ACTIVATED, SimStatus.SUSPENDED)

    def execute(self, context: Context) -> list[int]:
        """Read everything, then change what differs."""
        ids, status = self.endpoint_ids, self.status
        rows = read_all_endpoints(self.client, ids) if self.looked_at is None else self.looked_at
        change = [key for key in ids if status_of(rows[key]) != status]
        sims = [] if self.sim_status is None else self._sims_to_change(rows, {*change}, self.sim_status)
        self.log_change(f"Setting endpoints to {status.label}", change, len(ids), "have this status already")
        in_test = any(status_of(part(rows[key], "sim")) == SimStatus.FACTORY_TEST for key in change)
        sims_first = "status" in (self.select or {}) and not in_test  # a retry has to select what is not done
        if self.sim_status is not None and sims_first:
            set_sims(self, sims, self.sim_status)
        self.client.endpoints.update_many([{"id": key, "status": status} for key in change])
        if self.sim_status is not None and not sims_first:
            set_sims(self, sims, self.sim_status)
        return ids

    @staticmethod
    def _sims_to_change(rows: Mapping[int, Row], changing: set[int], target: SimStatus) -> list[int]:
        """Return the SIMs that are to be changed.

        :param changing: The endpoints whose own status is changed first.
        """
        sims, reasons = {}, []
        for key, row in rows.items():
            sim, sim_id = part(row, "sim"), read_ref(row, "sim")
            if sim_id is None:
                reasons.append(f"endpoint {key} has no SIM")
                continue
            now = read_status(SimStatus, sim)
            if now is SimStatus.FACTORY_TEST and key in changing:
                now = SimStatus.ACTIVATED  # by the change of the endpoint
            sims[f"SIM {sim_id} of endpoint {key}"] = sim_id, now
        return sims_to_change(sims, target, "sim_status", reasons)
