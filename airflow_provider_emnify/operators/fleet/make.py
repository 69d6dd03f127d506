"""Planning a fleet as a task. Imported as :mod:`airflow_provider_emnify.operators.fleet`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_emnify.api.data_streamer.json_records import Broken
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.arguments import (
    Argument,
    GivenRows,
    as_given,
    optional,
    parse_choice,
    parse_count,
    parse_text,
    shorten,
)
from airflow_provider_emnify.hooks.selection import sims_by_iccid
from airflow_provider_emnify.links import EmnifyDevicesLink, EmnifySimsLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.endpoint.rows import parse_rows
from airflow_provider_emnify.operators.fleet.plan import KINDS, Plan, make_plan
from airflow_provider_emnify.operators.fleet.plan_file import write_plan
from airflow_provider_emnify.operators.fleet.rows import COLUMNS, KEYS, Meaning, Names, Wanted
from airflow_provider_emnify.operators.fleet.sources import reader_of, rows_of_file, rows_of_query

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import Context

_FIRST = 10  # entries of each kind that the log and the XCom show


def _devices(value: Any, field: str) -> Rows:
    return parse_rows(value, field, dict.fromkeys(COLUMNS, as_given))


def _path(value: Any, field: str) -> str:
    path = parse_text(value, field)
    reader_of(path)
    return path


def _count(value: Any, field: str) -> int:
    return 0 if str(value).strip() == "0" else parse_count(value, field)


class EmnifyPlanFleetOperator(EmnifyBaseOperator):
    """Plan what has to change for a fleet to be as a source says. Nothing is changed.

    The source has a row for each device: a list, the rows of a SQL query, or a file of CSV, JSON lines or
    Parquet. Its columns: ``iccid`` (with or without check digit), ``imei``, ``id`` and ``name``, one of which
    is the ``key`` by which devices are known; and of ``status``, ``sim_status``, ``service_profile`` or
    ``service_profile_id``, ``tariff_profile`` or ``tariff_profile_id``, ``tags``, ``imei_lock``,
    ``ip_address``, ``ip_address_space_id``, ``activate_on``, ``suspend_on`` what is needed. What a row does
    not say, or says with nothing, stays as it is. A SIM that no device has is created as one; a date gives
    the SIM its status once it has come, so that a daily run carries it out.

    The plan says of each device what is and what shall be: in the log and the XCom how many there are and the
    first ones, whole in a file. :class:`~airflow_provider_emnify.operators.fleet.EmnifyApplyFleetOperator`
    carries it out. Lists are read once: 100 requests for 100,000 devices, and 40 for 100,000 SIMs where some
    are new.

    .. code-block:: python

        EmnifyPlanFleetOperator(
            task_id="plan",
            sql_conn_id="warehouse",
            sql="SELECT iccid, name, service_profile, tariff_profile, sim_status FROM fleet",
            plan_path="s3://aws_default@fleet/{{ ts_nodash }}.jsonl",
        )

    :param plan_path: Where the plan goes, a URL or a path on the local disk (templated).
    :param devices: The rows as a list of dicts, or what another task returned (templated).
    :param sql_conn_id: Instead: the connection to a database (templated).
    :param sql: And the query of it, or a file with the ending ``.sql`` (templated).
    :param path: Instead: a file, by its ending ``.csv``, ``.jsonl`` or ``.parquet`` (templated).
    :param storage_conn_id: Connection to the storage of ``path`` and ``plan_path``; it can stand in these,
        too (templated).
    :param key: The column by which devices are known: ``"iccid"`` (default), ``"imei"``, ``"id"`` or
        ``"name"``.
    :param tags: ``"add"`` (default): devices get the tags that their rows name; ``"exact"``: and lose others.
    :param prune: What becomes of devices that are not in the source: by default nothing; ``"suspend"``:
        their SIMs are suspended; ``"delete"``: they are deleted and their SIMs suspended.
    :param max_prune: The most devices that may be pruned; more refuse the plan (templated; default 0), and
        so does a source without rows.
    :param on_bad_rows: ``"fail"`` (default): rows that are wrong refuse the plan, which lists them;
        ``"skip"``: the plan goes on without them.
    :param today: The day on which dates are due, ``"2030-12-31"``; by default it is today in UTC (templated).
    :param emnify_conn_id: The connection to emnify.
    :returns: ``path`` and ``digest`` of the plan, ``rows``, ``devices``, ``unchanged``, ``scheduled`` (with a
        date to come), ``changes`` (devices that something is done to), ``counts`` by kind, ``first`` (of each
        kind, as text) and ``summary``.
    :raises ValueError: when the DAG is parsed, for a source that cannot be.
    :raises AirflowFailException: for rows that are wrong, too many devices to prune, or a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/get-endpoints
    """

    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "devices": "json"}
    operator_extra_links = (EmnifyDevicesLink(), EmnifySimsLink())
    idempotent: ClassVar[bool] = True

    plan_path = Argument(parse_text)
    devices = Argument(optional(_devices))
    sql_conn_id = Argument(optional(parse_text))
    sql = Argument(optional(parse_text))
    path = Argument(optional(_path))
    storage_conn_id = Argument(optional(parse_text))
    key = Argument(parse_choice(*KEYS), templated=False)
    tags = Argument(parse_choice("add", "exact"), templated=False)
    prune = Argument(optional(parse_choice("suspend", "delete")), templated=False)
    max_prune = Argument(_count)
    on_bad_rows = Argument(parse_choice("fail", "skip"), templated=False)
    today = Argument(optional(COLUMNS["activate_on"]))

    def __init__(
        self,
        *,
        plan_path: str,
        devices: GivenRows | None = None,
        sql_conn_id: str | None = None,
        sql: str | None = None,
        path: str | None = None,
        storage_conn_id: str | None = None,
        key: Literal["iccid", "imei", "id", "name"] = "iccid",
        tags: Literal["add", "exact"] = "add",
        prune: Literal["suspend", "delete"] | None = None,
        max_prune: int | str = 0,
        on_bad_rows: Literal["fail", "skip"] = "fail",
        today: date | str | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        if sum(given is not None for given in (devices, sql, path)) != 1:
            raise ValueError("devices, sql, path: give one of them")
        if (sql is None) != (sql_conn_id is None):
            raise ValueError("sql_conn_id, sql: give both of them")

    def execute(self, context: Context) -> Row:
        """Read the source and the fleet, compare them, and write the plan."""
        meaning = Meaning(self.key, self.today or datetime.now(UTC).date(), cache(self._names))
        plan = make_plan(
            self._source(meaning),
            self.client.endpoints.list(),
            lambda iccids: sims_by_iccid(self.client, iccids),
            key=self.key,
            exact_tags=self.tags == "exact",
            prune=self.prune,
        )
        pruned = [entry for entry in plan.entries if entry.is_pruned]
        if pruned and not plan.rows:
            raise ValueError(f"prune: the source has no rows, so all {len(pruned)} devices would be pruned")
        if len(pruned) > self.max_prune:
            named = shorten([f"endpoint {entry.endpoint_id}" for entry in pruned])
            raise ValueError(
                f"max_prune: {len(pruned)} devices are not in the source ({named}), more than "
                f"{self.max_prune}; no plan was written"
            )
        return self._write(plan)

    def _source(self, meaning: Meaning) -> Iterator[Wanted]:
        for number, row in self._rows():
            if isinstance(row, Broken):
                yield Wanted(number, None, {}, reason=row.reason)
            else:
                yield meaning.read(row, number)

    def _rows(self) -> Iterator[tuple[int, Row | Broken]]:
        if self.sql is not None and self.sql_conn_id is not None:
            return rows_of_query(self.sql_conn_id, self.sql, self.key)
        if self.path is not None:
            return rows_of_file(self.path, self.storage_conn_id, self.key)
        return iter(enumerate(self.devices or (), 1))

    def _names(self, kind: str) -> Names:
        """Return the ids of profiles or tags by name, read once and only where rows name some."""
        client = self.client
        lists: Mapping[str, Any] = {
            "service_profile": client.service_profiles.list,
            "tariff_profile": client.tariff_profiles.list,
            "tags": lambda: client.tags.list(per_page=1000),
        }
        names: dict[str, tuple[int, ...]] = {}
        for row in lists[kind]():
            name = str(row.get("name"))
            names[name] = (*names.get(name, ()), int(row["id"]))
        return names

    def _write(self, plan: Plan) -> Row:
        counts, changes = plan.counts, sum(1 for entry in plan.entries if entry.action != "refuse")
        is_valid = not counts["refuse"] or self.on_bad_rows == "skip"
        said = [text.format(counts[kind]) for kind, text in KINDS.items() if counts[kind]]
        summary = f"{', '.join(said) or 'nothing to do'}; {plan.unchanged} of {plan.rows} rows need no change"
        about = {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "valid": is_valid,
            "key": self.key,
            "organisation_id": self.client.token_info().get("organisation_id"),
            "summary": summary,
            "rows": plan.rows,
            "devices": plan.devices,
            "unchanged": plan.unchanged,
            "scheduled": plan.scheduled,
            "changes": changes,
            "counts": counts,
        }
        digest = write_plan(self.plan_path, self.storage_conn_id, plan.entries, about)
        first = {kind: plan.first(kind, _FIRST) for kind in counts if counts[kind]}
        self.log.info("Plan for %d rows and %d devices: %s", plan.rows, plan.devices, summary)
        for kind, texts in first.items():
            for text in texts:
                self.log.info("%s: %s", kind, text)
        self.log.info("The whole plan is in %s", self.plan_path)
        if not is_valid:
            raise ValueError(
                f"{counts['refuse']} rows are wrong, so the plan is refused: {shorten(first['refuse'], 3)}; "
                f"all of them are in {self.plan_path}. Correct them, or set on_bad_rows='skip'"
            )
        del about["made_at"], about["valid"], about["key"], about["organisation_id"]
        return {"path": self.plan_path, "digest": digest, **about, "first": first}
