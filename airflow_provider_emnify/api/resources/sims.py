"""SIMs: inventory, status, statistics, moves between Workspaces."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from airflow_provider_emnify.api.enums import EventSeverity, EventSource, SimStatus
from airflow_provider_emnify.api.resources.bulk import delete_in_chunks, split, status_of
from airflow_provider_emnify.api.resources.few import read_rows
from airflow_provider_emnify.api.resources.fields import UNSET, Unset, refs
from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.types import Dated, Day, Id, Ids, Moment, Numbers, Row, Rows
from airflow_provider_emnify.api.values import is_list, parse_ids, parse_texts

MOST_MIGRATED = 500
"""SIMs that one migration may hold."""


_MIGRATED: dict[str, type] = {"sims": list}


class Sims(Resource):
    """The SIMs of an organisation, as ``client.sims``."""

    @operation("GET", "/api/v1/sim", paged=True, ids=int)
    def list(
        self,
        call: Call,
        *,
        id: Id | None = None,
        status: SimStatus | str | int | None = None,
        iccid: str | None = None,
        iccid_with_luhn: str | None = None,
        imsi: str | None = None,
        msisdn: str | None = None,
        eid: str | None = None,
        endpoint_id: Id | None = None,
        assigned: Literal[False] | None = None,
        model: int | str | None = None,
        production_date: Dated | None = None,
        issuer_org: int | str | None = None,
        reseller_org: int | str | None = None,
        customer_org: int | str | None = None,
        satellite_capable: bool | None = None,
        q: str | None = None,
        sort: str | None = None,
        per_page: int | None = 2500,
    ) -> Listing:
        """List SIMs, lazily.

        See https://docs.emnify.com/developers/api/sim/sim-per-page-sort-by-q-and-page-get

        :param id: Only the SIM of this id.
        :param status: ``issued``, ``activated``, ``suspended``, ``deleted`` or ``factory_test``.
        :param iccid: ICCID without its check digit, 19 digits.
        :param iccid_with_luhn: ICCID with its check digit, 20 digits.
        :param imsi: IMSI.
        :param msisdn: Phone number.
        :param eid: eID of the eUICC.
        :param endpoint_id: The endpoint that has it.
        :param assigned: False for SIMs that no endpoint has, whatever ``endpoint_id`` is.
        :param model: Model of the SIM.
        :param production_date: Date of its production.
        :param issuer_org: Organisation that issued it.
        :param reseller_org: Organisation that resells it.
        :param customer_org: Organisation that uses it.
        :param satellite_capable: Whether it can use satellite networks.
        :param q: More filters, as emnify writes them: ``field:value,field:value``.
        :param sort: Fields to sort by, ``-`` before a descending one: id, issuer_org, reseller_org,
            customer_org, iccid, eid, status, production_date, endpoint, model. Without it: newest first.
        :param per_page: Rows a request, at most 2,500.
        :raises ValueError: for ``assigned=True`` without an ``endpoint_id``.
        """
        if assigned and endpoint_id is None:
            raise ValueError("assigned: emnify can be asked for SIMs that no endpoint has, not others")
        if call.arguments.pop("assigned") is False:
            call.arguments["endpoint_id"] = "null"
        return call.filtered()

    @declared("GET", "/api/v1/sim/{sim_id}", ids=int)
    def get(self, sim_id: Id) -> Row:
        """Return a SIM.

        See https://docs.emnify.com/developers/api/sim/sim-by-id-get

        :param sim_id: Id of the SIM.
        """

    @declared("PATCH", "/api/v1/sim/{sim_id}")
    def update(
        self,
        sim_id: Id,
        *,
        status: SimStatus | str | int | None = None,
        issuer_org_id: Id | None = None,
        reseller_org_id: Id | Unset | None = UNSET,
        customer_org_id: Id | Unset | None = UNSET,
    ) -> None:
        """Change a SIM; only what is given is changed. **An activated SIM bills.**

        See https://docs.emnify.com/developers/api/sim/sim-by-id-patch

        :param sim_id: Id of the SIM.
        :param status: From ``issued`` to ``activated`` or ``factory_test``, from ``factory_test`` to
            ``activated``, between ``activated`` and ``suspended``.
        :param issuer_org_id: A direct child organisation that issues it from now on.
        :param reseller_org_id: A direct child organisation that resells it; None takes it from the reseller.
        :param customer_org_id: The organisation that uses it; None takes it from the customer.
        """

    @declared("DELETE", "/api/v1/sim/{sim_id}")
    def delete(self, sim_id: Id) -> None:
        """Delete a SIM that no endpoint has. **A deleted SIM cannot be recovered.**

        See https://docs.emnify.com/developers/api/sim/sim-by-id-delete

        :param sim_id: Id of the SIM.
        """

    @operation("DELETE", "/api/v1/sim/multi")
    def delete_many(self, call: Call, sim_ids: Ids) -> Numbers:
        """Delete SIMs, 2,000 a request. **Deleted SIMs cannot be recovered.**

        See https://docs.emnify.com/developers/api/sim/bulk-sim-delete

        :param sim_ids: Ids of the SIMs.
        :returns: The ids.
        :raises EmnifyPartialError: if a request failed and some are still there; with the ids that are
            deleted and those that are not.
        """

        def send(ids: Numbers) -> None:
            call.request(json=refs(ids, "sim_ids"))

        def look(ids: Numbers) -> tuple[Numbers, Numbers]:
            rows = read_rows(ids, get=self.get, list_all=self.list)
            left = {id for id, sim in rows.items() if status_of(sim) != SimStatus.DELETED}
            return split(ids, lambda id: id not in left)

        return delete_in_chunks(parse_ids(sim_ids, "sim_ids"), send=send, look=look, what="delete SIMs")

    @declared("GET", "/api/v1/sim/status", ids=int)
    def statuses(self) -> Rows:
        """Return the statuses that a SIM can have, see :class:`~airflow_provider_emnify.api.SimStatus`.

        See https://docs.emnify.com/developers/api/sim/sim-status-get
        """

    @declared("GET", "/api/v1/sim/{sim_id}/event", paged=True, ids=int, may_be_empty=True)
    def events(
        self,
        sim_id: Id,
        *,
        from_: Moment | None = None,
        until: Moment | None = None,
        type: int | str | Sequence[int | str] | None = None,
        source: EventSource | str | int | None = None,
        severity: EventSeverity | str | int | None = None,
        alert: bool | None = None,
        description: str | None = None,
        q: str | None = None,
        sort: str | None = "id",
        per_page: int | None = None,
    ) -> Listing:
        """List the events of a SIM, lazily. Of an unknown id there are none; that is no error.

        See https://docs.emnify.com/developers/api/sim/sim-event-page-per-page-sort-by-sim-id-and-q-get

        :param sim_id: Id of the SIM.
        :param from_: Begin of a time range in UTC, only together with ``until``.
        :param until: End of that range.
        :param type: Event type, or up to six; see ``client.events.types``.
        :param source: ``network``, ``policy_control`` or ``api``.
        :param severity: ``info``, ``warn`` or ``critical``.
        :param alert: Whether it is an alert.
        :param description: Text of the event.
        :param q: More filters, as emnify writes them: ``field:value,field:value``.
        :param sort: Fields to sort by, ``-`` before a descending one. By ``id`` the newest come first.
        :param per_page: Rows a request.
        """

    @declared("GET", "/api/v1/sim/{sim_id}/stats")
    def stats(self, sim_id: Id) -> Any:
        """Return the usage and cost of a SIM: last month, this month, and the last hour by minute.

        See https://docs.emnify.com/developers/api/sim/sim-stats-by-id-get

        :param sim_id: Id of the SIM.
        """

    @declared("GET", "/api/v1/sim/{sim_id}/stats/daily")
    def daily_stats(
        self, sim_id: Id, *, start_date: Day | None = None, end_date: Day | None = None
    ) -> Listing:
        """List the usage of a SIM by day. Its ``cost`` is deprecated by emnify.

        See https://docs.emnify.com/developers/api/sim/sim-statistics-daily-by-id-get

        :param sim_id: Id of the SIM.
        :param start_date: First day. Without both dates: the first of this month.
        :param end_date: Last day.
        """

    @operation("POST", "/api/v1/sim/migration/workspace", holds=_MIGRATED)
    def migrate(
        self,
        call: Call,
        *,
        target_workspace_id: Id,
        sim_ids: Ids | None = None,
        iccids: Sequence[str] | None = None,
        iccid_range: tuple[str, str] | None = None,
        allowed_sim_statuses: Sequence[SimStatus | str | int] | None = None,
        auto_detach_devices: bool | None = None,
        dry_run: bool = True,
    ) -> Row:
        """Move up to 500 SIMs to another Workspace, or say what would be moved.

        Activated SIMs are suspended on the way. This needs user credentials: an application token belongs
        to one Workspace.

        See https://docs.emnify.com/developers/api/sim/sim-migration-workspace

        :param target_workspace_id: Id of the enterprise Workspace that they move to.
        :param sim_ids: Ids of the SIMs; or else:
        :param iccids: their ICCIDs; or else:
        :param iccid_range: first and last ICCID of a range, 19 digits each.
        :param allowed_sim_statuses: Refuse SIMs of any other status.
        :param auto_detach_devices: Take the SIMs from their endpoints. Without it, a SIM in use is an error.
        :param dry_run: Only say what would be moved (the default).
        :returns: emnify's summary.
        :raises ValueError: unless exactly one of ``sim_ids``, ``iccids``, ``iccid_range`` is given, for at
            most 500 SIMs.
        """
        if sum(given is not None for given in (sim_ids, iccids, iccid_range)) != 1:
            raise ValueError("give exactly one of sim_ids, iccids, iccid_range")
        body = call.fields(
            iccids=partial(parse_texts, field="iccids"),
            iccid_range=_ends,
            allowed_sim_statuses=lambda statuses: [{"id": int(SimStatus.parse(one))} for one in statuses],
        )
        if len(body.get("sims") or body.get("iccids") or ()) > MOST_MIGRATED:
            raise ValueError(f"emnify moves at most {MOST_MIGRATED} SIMs a call")
        summary: Row = call.request(json=body, idempotent=dry_run)
        return summary

    @declared("GET", "/api/v1/sim/unlinked_product_stats")
    def unlinked_product_stats(self) -> Rows:
        """Return how many eSIMs have no profile linked, by product.

        See https://docs.emnify.com/developers/api/sim-unlinked-product-statistics/get-unlinked-product-stats
        """


def _ends(iccids: Any) -> Row:
    """Return a range of ICCIDs as emnify takes it."""
    ends = [*iccids] if is_list(iccids) else []
    if len(ends) != 2:  # noqa: PLR2004 - of any range
        raise ValueError("iccid_range: give the first and the last ICCID")
    return {"start": ends[0], "end": ends[1]}
