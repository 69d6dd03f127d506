"""Creating endpoints as a task. Imported as :mod:`airflow_provider_emnify.operators.endpoint`."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_emnify.api import EmnifyPartialError, EndpointStatus
from airflow_provider_emnify.api.resources.endpoint_body import match_created
from airflow_provider_emnify.api.values import parse_id
from airflow_provider_emnify.arguments import (
    check_early,
    parse_bool,
    parse_choice,
    parse_optional_id,
    shorten,
)
from airflow_provider_emnify.links import EmnifyDevicesLink, EmnifySimsLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.endpoint.rows import Existing, parse_rows, row_label
from airflow_provider_emnify.operators.idempotency.attempts import made_by_this_task, unknown_for_good

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api.resources.fields import Row

_FIELDS = frozenset(
    {"name", "sim_id", "activate_sim", "sim_status", "tags", "imei", "imei_lock", "ip_address"}
)
_IF_EXISTS = ("skip", "fail")


class EmnifyCreateEndpointsOperator(EmnifyBaseOperator):
    """Create endpoints (devices), 2,000 a request, with their SIMs.

    What exists already is looked for first, by SIM, or by exact name where a row has no SIM, so that a task
    that runs again creates what is missing and no second one of anything. After a failed request its
    endpoints are looked for; the error lists what was created and what was not, and the next try goes on
    from there. A SIM that is on an endpoint of another name is an error, and then nothing is created.

    emnify lets several endpoints have the same name, so tasks that create by name alone wait for each other
    as far as they share a store of the rate limits (``rate_limit_store``). Others create at the same moment:
    who comes second then finds the endpoints of both, and fails with their ids. Nothing is deleted.

    .. code-block:: python

        EmnifyCreateEndpointsOperator(
            task_id="create",
            endpoints=[{"name": "Pump 7", "sim_id": 1001, "activate_sim": True}],
            service_profile_id=1,
            tariff_profile_id=2,
        )

    :param endpoints: A dict for each (templated), with ``name`` or ``sim_id`` or both, and of
        ``activate_sim`` (default False: **an activated SIM bills, also on a disabled endpoint**),
        ``sim_status`` (``"activated"`` or ``"factory_test"`` instead), ``tags``, ``imei`` (16 digits),
        ``imei_lock``, ``ip_address`` what is needed. None does nothing.
    :param service_profile_id: Service profile of all: what they may do on the network (templated).
    :param tariff_profile_id: Tariff profile of all: what they cost (templated).
    :param status: ``"enabled"`` (default) or ``"disabled"``, of all (templated).
    :param organisation_id: The child organisation that they are for; by default the own (templated).
    :param ip_address_space_id: Address space; needed where a row has an ``ip_address`` (templated).
    :param if_exists: ``"skip"`` (default): use what exists, as it is; ``"fail"``: fail before anything is
        created, unless it was created by an earlier try of this task (since the DAG run started).
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids, in the order of ``endpoints``.
    :raises ValueError: when the DAG is parsed, for a row that makes no sense.
    :raises AirflowFailException: when a run on another host has created the same by name at the same moment
        (an :class:`~airflow_provider_emnify.api.EmnifyUnknownOutcomeError` with the ids of both), and for
        any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/bulk-create-endpoint
    """

    template_fields: Sequence[str] = (
        "emnify_conn_id",
        "endpoints",
        "service_profile_id",
        "tariff_profile_id",
        "status",
        "organisation_id",
        "ip_address_space_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"endpoints": "json"}
    operator_extra_links = (EmnifyDevicesLink(), EmnifySimsLink())
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        *,
        endpoints: Any,
        service_profile_id: int | str,
        tariff_profile_id: int | str,
        status: EndpointStatus | int | str = "enabled",
        organisation_id: int | str | None = None,
        ip_address_space_id: int | str | None = None,
        if_exists: Literal["skip", "fail"] = "skip",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_early(parse_new, endpoints)
        check_early(parse_id, service_profile_id, "service_profile_id")
        check_early(parse_id, tariff_profile_id, "tariff_profile_id")
        check_early(usable_status, status)
        check_early(parse_optional_id, organisation_id, "organisation_id")
        check_early(parse_optional_id, ip_address_space_id, "ip_address_space_id")
        parse_choice(if_exists, _IF_EXISTS, "if_exists")
        self.endpoints = endpoints
        self.service_profile_id = service_profile_id
        self.tariff_profile_id = tariff_profile_id
        self.status = status
        self.organisation_id = organisation_id
        self.ip_address_space_id = ip_address_space_id
        self.if_exists = if_exists

    def execute(self, context: Context) -> list[int]:
        """Look for what exists, and create the rest."""
        rows = parse_new(self.endpoints)
        shared = {
            "service_profile_id": parse_id(self.service_profile_id, "service_profile_id"),
            "tariff_profile_id": parse_id(self.tariff_profile_id, "tariff_profile_id"),
            "status": usable_status(self.status),
            "organisation_id": parse_optional_id(self.organisation_id, "organisation_id"),
            "ip_address_space_id": parse_optional_id(self.ip_address_space_id, "ip_address_space_id"),
        }
        if not rows:
            self.log.info("No endpoints given: nothing to do")
            return []
        # emnify refuses a second endpoint for a SIM, but not for a name.
        by_name = any("sim_id" not in row for row in rows)
        with self.client.lock("endpoints by name") if by_name else nullcontext():
            existing = Existing(self.client, rows)
            found = [existing.take(row) for row in rows]
            self._judge(found, context)
            new = [row for row, there in zip(rows, found, strict=True) if there is None]
            created = self._create(new, shared) if new else []
        self._look_again(
            existing,
            {key: str(row["name"]) for key, row in zip(created, new, strict=True) if "sim_id" not in row},
        )
        left = iter(created)
        return [int(there["id"]) if there is not None else next(left) for there in found]

    def _judge(self, found: Sequence[Row | None], context: Context) -> None:
        there = [row for row in found if row is not None]
        if there:
            self.log.info(
                "%d of %d endpoints exist: %s", len(there), len(found), shorten([row["id"] for row in there])
            )
        foreign = [row for row in there if not made_by_this_task(row, context)]
        if self.if_exists == "fail" and foreign:
            named = shorten([f"{row['id']} {row.get('name')!r}" for row in foreign])
            raise ValueError(
                f"endpoints: {len(foreign)} exist already ({named}); nothing was created. "
                "Set if_exists='skip' to go on with those that exist"
            )

    def _look_again(self, existing: Existing, created: Mapping[int, str]) -> None:
        """Find out whether a run on another host, which no turn kept waiting, has created the same."""
        twins = existing.newcomers(created) if created else []
        named = shorten([f"{name!r} is {own} here and {other} there" for other, own, name in twins])
        if any(other < own for other, own, _ in twins):
            raise unknown_for_good(
                f"endpoints: another run has created some of the same names at the same moment: {named}. "
                "Check which of them are in use, delete the others with EmnifyDeleteEndpointsOperator, and "
                "clear this task: it goes on with those that are left"
            )
        if twins:
            self.log.warning("Another run has since created endpoints of the same names: %s", named)

    def _create(self, rows: list[Row], shared: Mapping[str, Any]) -> list[int]:
        activated = sum(1 for row in rows if row.get("activate_sim") or row.get("sim_status") is not None)
        self.log.info(
            "Creating %d endpoints%s",
            len(rows),
            f"; {activated} SIMs get activated, which emnify bills" if activated else "",
        )
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


def parse_new(value: Any) -> list[Row]:
    """Return the rows of endpoints that are to be created, checked as far as their values are known.

    :raises ValueError: for a row by which nobody could know its endpoint again, or a SIM that comes twice.
    """
    rows = parse_rows(value, "endpoints", _FIELDS)
    sims: Counter[int] = Counter()
    for row in rows:
        for name in ("name", "sim_id"):
            if row.get(name) in (None, ""):
                row.pop(name, None)
        if not row.keys() & {"name", "sim_id"}:
            raise ValueError(
                f"endpoints: {row!r} needs a name or a sim_id, so that a second run knows it again"
            )
        if "sim_id" in row:
            row["sim_id"] = parse_id(row["sim_id"], "sim_id")
            sims[row["sim_id"]] += 1
        for name in ("activate_sim", "imei_lock"):
            if row.get(name) is not None:
                row[name] = parse_bool(row[name], name)
    twice = [sim_id for sim_id, count in sims.items() if count > 1]
    if twice:
        raise ValueError(f"endpoints: SIM {shorten(twice)} is in more than one row")
    return rows


def usable_status(value: Any) -> EndpointStatus:
    """Return the status that an endpoint can be given.

    :raises ValueError: for any other, also for deleted.
    """
    try:
        status = EndpointStatus.parse(value)
    except ValueError as error:
        raise ValueError(f"status: {error}") from None
    if status is EndpointStatus.DELETED:
        raise ValueError(
            "status: endpoints are deleted with EmnifyDeleteEndpointsOperator; give enabled or disabled"
        )
    return status
