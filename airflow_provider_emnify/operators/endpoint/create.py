"""Creating endpoints as a task. Imported as :mod:`airflow_provider_emnify.operators.endpoint`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_emnify.airflow_names import Context, XComArg
from airflow_provider_emnify.api import EmnifyConflictError, EmnifyPartialError, SimStatus
from airflow_provider_emnify.api.resources.endpoint_body import match_created
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import parse_bool, parse_iccid, parse_id
from airflow_provider_emnify.arguments import (
    Argument,
    GivenRows,
    OneId,
    optional,
    parse_choice,
    parse_label,
    parse_optional_id,
    shorten,
    status_in,
)
from airflow_provider_emnify.hooks.selection import sims_by_iccid
from airflow_provider_emnify.links import EmnifyDevicesLink, EmnifySimsLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.endpoint.rows import (
    match_existing,
    parse_rows,
    parse_status,
    read_existing,
    row_label,
)
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EndpointStatus

_FIELDS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("name", "tags", "imei", "ip_address"), optional(parse_label)),
    **dict.fromkeys(("activate_sim", "imei_lock"), optional(parse_bool)),
    "sim_id": parse_optional_id,
    "iccid": optional(parse_iccid),
    "sim_status": optional(status_in(SimStatus.ACTIVATED, SimStatus.FACTORY_TEST)),
}
_SHARED = ("service_profile_id", "tariff_profile_id", "status", "organisation_id", "ip_address_space_id")


def parse_new(value: Any, field: str) -> list[Row]:
    """Return the rows of endpoints that are to be created, without what is None.

    :raises ValueError: for a row by which nobody could know its endpoint again, or a SIM that comes twice.
    """
    rows = [
        {name: item for name, item in row.items() if item is not None}
        for row in parse_rows(value, field, _FIELDS)
    ]
    for row in rows:
        if not row.keys() & {"name", "sim_id", "iccid"}:
            raise ValueError(
                f"{field}: {row!r} needs a name, sim_id or iccid, so that a second run recognises it"
            )
        if {"sim_id", "iccid"} <= row.keys():
            raise ValueError(f"{field}: {row!r} has a sim_id and an iccid; give one of them")
    sims = Counter(row[name] for row in rows for name in ("sim_id", "iccid") if name in row)
    twice = [sim_id for sim_id, count in sims.items() if count > 1]
    if twice:
        raise ValueError(f"{field}: SIM {shorten(twice)} is in more than one row")
    return rows


class EmnifyCreateEndpointsOperator(EmnifyBaseOperator):
    """Create endpoints (devices), 2,000 a request, with their SIMs.

    What exists already is looked for first, by SIM, or by exact name where a row has no SIM, so that a task
    that runs again creates what is missing and no second one of anything. After a failed request its
    endpoints are looked for; the error lists what was created and what was not, and the next try goes on
    from there. A SIM that is on an endpoint of another name is an error, and then nothing is created.

    emnify lets several endpoints have the same name, so tasks that create by name alone wait for each other
    as far as they share a lock (``rate_limit_store``).

    .. code-block:: python

        EmnifyCreateEndpointsOperator(
            task_id="create",
            endpoints=[{"name": "Pump 7", "sim_id": 1001, "activate_sim": True}],
            service_profile_id=1,
            tariff_profile_id=2,
        )

    :param endpoints: A dict for each (templated), with ``name``, or a SIM, or both: its ``sim_id``, or its
        ``iccid`` (with or without check digit); and of ``activate_sim`` (default False: **an activated SIM
        bills, also on a disabled endpoint**), ``sim_status`` (``"activated"`` or ``"factory_test"``
        instead), ``tags``, ``imei`` (16 digits), ``imei_lock``, ``ip_address`` what is needed. None does
        nothing.
    :param service_profile_id: Service profile of all: what they may do on the network (templated).
    :param tariff_profile_id: Tariff profile of all: what they cost (templated).
    :param status: ``"enabled"`` (default) or ``"disabled"``, of all (templated).
    :param organisation_id: The child organisation that they are for; by default the own (templated).
    :param ip_address_space_id: Address space; needed where a row has an ``ip_address`` (templated).
    :param if_exists: ``"skip"`` (default): use what exists, as it is; ``"fail"``: fail before anything is
        created, unless it was created by an earlier attempt of this task.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids, in the order of ``endpoints``.
    :raises ValueError: when the DAG is parsed, for a row that makes no sense.
    :raises AirflowFailException: for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/bulk-create-endpoint
    """

    template_fields_renderers: ClassVar[dict[str, str]] = {"endpoints": "json"}
    operator_extra_links = (EmnifyDevicesLink(), EmnifySimsLink())
    idempotent: ClassVar[bool] = True

    endpoints = Argument(parse_new)
    service_profile_id = Argument(parse_id)
    tariff_profile_id = Argument(parse_id)
    status = Argument(parse_status)
    organisation_id = Argument(parse_optional_id)
    ip_address_space_id = Argument(parse_optional_id)
    if_exists = Argument(parse_choice("skip", "fail"), templated=False)

    def __init__(
        self,
        *,
        endpoints: GivenRows,
        service_profile_id: OneId,
        tariff_profile_id: OneId,
        status: EndpointStatus | int | str | XComArg = "enabled",
        organisation_id: OneId | None = None,
        ip_address_space_id: OneId | None = None,
        if_exists: Literal["skip", "fail"] = "skip",
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def resolve(self) -> None:
        """Find the SIMs that rows name by ICCID."""
        iccids = [row["iccid"] for row in self.endpoints if "iccid" in row]
        sims = sims_by_iccid(self.client, iccids) if iccids else {}
        missing = [iccid for iccid in iccids if iccid not in sims]
        if missing:
            raise ValueError(f"endpoints: there is no SIM of ICCID {shorten(missing)}; nothing was created")
        rows = [
            {**row, "sim_id": int(sims[row["iccid"]]["id"]), "iccid": None} if "iccid" in row else row
            for row in self.endpoints
        ]
        self.__dict__["endpoints"] = parse_new(rows, "endpoints")

    def execute(self, context: Context) -> list[int]:
        """Look for what exists, and create the rest."""
        rows, attempt = self.endpoints, Attempt(self, context)

        def decide(there: Rows, _: Callable[[Row], bool]) -> list[int] | None:
            found = match_existing(rows, there)
            self._judge(found, attempt)
            ids = [int(row["id"]) for row in found if row is not None]
            return ids if len(ids) == len(rows) else None

        def look() -> Rows:
            return read_existing(self.client, rows)

        def create(there: Rows) -> list[int]:
            found = match_existing(rows, there)
            new = iter(self._create([row for row, is_ in zip(rows, found, strict=True) if is_ is None]))
            return [next(new) if row is None else int(row["id"]) for row in found]

        def create_rest(there: Rows) -> list[int]:
            try:
                return create(there)
            except EmnifyPartialError as error:
                if self.if_exists == "fail" or not isinstance(error.__cause__, EmnifyConflictError):
                    raise
                now = look()
                if len(now) <= len(there):
                    raise
                self.log.info("Another run has given SIMs to endpoints meanwhile (%s)", error.__cause__)
                return create_rest(now)

        # emnify refuses a second endpoint for a SIM, but not for a name.
        by_name = any("sim_id" not in row for row in rows)
        ids, _ = create_once(
            attempt,
            lock=("endpoints by name", "") if by_name else None,
            look=look,
            decide=decide,
            create=create_rest,
            always_look=True,
        )
        return ids

    def _judge(self, found: Sequence[Row | None], attempt: Attempt) -> None:
        there = [row for row in found if row is not None]
        if there:
            ids = shorten([row["id"] for row in there])
            self.log.info("%d of %d endpoints exist: %s", len(there), len(found), ids)
        foreign = [row for row in there if not attempt.created(row)]
        if self.if_exists == "fail" and foreign:
            named = shorten([f"{row['id']} {row.get('name')!r}" for row in foreign])
            raise ValueError(
                f"endpoints: {len(foreign)} exist already ({named}); nothing was created. "
                "Set if_exists='skip' to go on with those that exist"
            )

    def _create(self, rows: list[Row]) -> list[int]:
        activated = sum(1 for row in rows if row.get("activate_sim") or "sim_status" in row)
        bills = f"; {activated} SIMs get activated, which emnify bills" if activated else ""
        self.log.info("Creating %d endpoints%s", len(rows), bills)
        shared = {name: getattr(self, name) for name in _SHARED}
        try:
            created = self.client.endpoints.create_many(rows, **shared)
        except EmnifyPartialError as error:
            error.done = [row["id"] for row in error.done]
            error.not_done = [row_label(row) for row in error.not_done]
            raise
        matched, missing = match_created(rows, created[::-1])
        if missing:  # the answer does not say which is which
            matched = created
        ids = [int(row["id"]) for row in matched]
        if len(ids) != len(rows):
            raise ValueError(
                f"{len(rows)} endpoints were to be created, and the answer holds {len(ids)}: {shorten(ids)}"
            )
        self.log.info("Created %d endpoints: %s", len(ids), shorten(ids))
        return ids
