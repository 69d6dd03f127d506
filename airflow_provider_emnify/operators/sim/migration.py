"""Moving SIMs to another Workspace as a task. Imported as :mod:`airflow_provider_emnify.operators.sim`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import Context, XComArg
from airflow_provider_emnify.api import (
    EmnifyConflictError,
    EmnifyError,
    EmnifyPartialError,
    EmnifyUnknownOutcomeError,
    SimStatus,
)
from airflow_provider_emnify.api.resources.sims import MOST_MIGRATED
from airflow_provider_emnify.api.transport.answers import number, part, parts
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import parse_bool, parse_id, parse_ids, parse_texts
from airflow_provider_emnify.arguments import Argument, Ids, OneId, matching, shorten, status_in
from airflow_provider_emnify.hooks.selection import SelectsSims
from airflow_provider_emnify.links import EmnifySimsLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator

Iccids = Iterable[str] | str | XComArg
Statuses = Iterable[SimStatus | int | str] | SimStatus | int | str | XComArg

_parse_iccid = matching(r"\d{19,20}", "ICCID; give 19 or 20 digits")
_parse_status = status_in(*SimStatus)
_WAYS = ("sim_ids", "iccids", "iccid_range")


def _parse_iccids(value: Any, field: str) -> list[str]:
    return [_parse_iccid(iccid, field) for iccid in parse_texts(value, field)]


def _parse_range(value: Any, field: str) -> list[str]:
    iccids = _parse_iccids(value, field)
    if len(iccids) == 1:
        iccids *= 2
    if iccids and (len(iccids) != 2 or iccids[0] > iccids[1] or {*map(len, iccids)} != {19}):  # noqa: PLR2004 - first and last, 19 digits each
        raise ValueError(f"{field}: {value!r} is not a valid range; give first and last ICCID, of 19 digits")
    return iccids


def _parse_statuses(value: Any, field: str) -> list[SimStatus]:
    items = value if isinstance(value, (list, tuple)) else parse_texts(value, field)
    return [_parse_status(item, field) for item in items]


class EmnifyMigrateSimsOperator(SelectsSims, EmnifyBaseOperator):
    """Move SIMs to another Workspace, 500 a request. **By default it only says what would be moved.**

    emnify moves all SIMs of a request or none. Activated SIMs are suspended on the way. SIMs that are in the
    Workspace already are done, so that the task can run again; whether SIMs were moved when an answer is lost
    is seen by a dry run. The connection needs user credentials of an administrator of both Workspaces: an
    application token belongs to one.

    .. code-block:: python

        EmnifyMigrateSimsOperator(task_id="move", sim_ids=[1001, 1002], target_workspace_id=7, dry_run=False)

    :param target_workspace_id: The Workspace that they move to (templated).
    :param sim_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsSims`; or else:
    :param iccids: their ICCIDs (templated); or else:
    :param iccid_range: first and last ICCID of a range of at most 500 SIMs (templated). emnify refuses a
        range of which only some are there already.
    :param allowed_sim_statuses: Refuse SIMs of any other status (templated).
    :param auto_detach_devices: Take the SIMs from their endpoints (default False: a SIM in use is an error).
    :param dry_run: Whether to only say what would be moved (default True).
    :param emnify_conn_id: The connection to emnify.
    :returns: emnify's summary, of all requests in one: ``sim_count``, ``sims``, ``target_workspace``,
        ``dry_run`` and so on. SIMs that were in the Workspace already do not count.
    :raises ValueError: when the DAG is parsed, for a bad argument.
    :raises AirflowFailException: when SIMs do not meet emnify's requirements, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/sim/sim-migration-workspace
    """

    operator_extra_links = (EmnifySimsLink(),)
    idempotent: ClassVar[bool] = True

    target_workspace_id = Argument(parse_id)
    sim_ids = Argument(parse_ids)
    iccids = Argument(_parse_iccids)
    iccid_range = Argument(_parse_range)
    allowed_sim_statuses = Argument(_parse_statuses)
    auto_detach_devices = Argument(parse_bool, templated=False)
    is_dry_run = Argument(parse_bool, "dry_run", templated=False)  # an operator has a method dry_run()

    def __init__(
        self,
        *,
        target_workspace_id: OneId,
        sim_ids: Ids | None = None,
        iccids: Iccids | None = None,
        iccid_range: Iccids | None = None,
        allowed_sim_statuses: Statuses | None = None,
        auto_detach_devices: bool = False,
        dry_run: bool = True,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        if sum(value is not None for value in (sim_ids, self.select, iccids, iccid_range)) != 1:
            raise ValueError(f"select, {', '.join(_WAYS)}: give one of them")

    def execute(self, context: Context) -> Row:
        """Move them, 500 at a time, or say what would be moved."""
        target = self.target_workspace_id
        way = next((name for name in _WAYS if getattr(self, name)), _WAYS[0])
        what: list[Any] = getattr(self, way)
        size = len(what) if way == "iccid_range" else MOST_MIGRATED
        self.log.info(
            "%s to Workspace %d: %s %s. Activated ones get suspended",
            "A dry run of moving SIMs" if self.is_dry_run else "Moving SIMs",
            target,
            way,
            " to ".join(what) if way == "iccid_range" else f"({len(what)}) {shorten(what)}",
        )
        summary = self._nothing()
        for start in range(0, len(what), size):
            chunk = what[start : start + size]
            try:
                found = self._chunk(way, chunk, target)
            except EmnifyError as error:
                if len(what) <= size:
                    raise
                why = f"could not move SIMs: {error}"
                made = EmnifyPartialError(why, done=what[:start], not_done=what[start:])
                made.transient = error.transient
                raise made from error
            summary = {
                **found,
                "sim_count": summary["sim_count"] + (number(found, "sim_count") or 0),
                "sims": [*summary["sims"], *parts(found, "sims")],
            }
        moved = "would be moved" if self.is_dry_run else "were moved"
        self.log.info("%d SIMs %s", summary["sim_count"], moved)
        return summary

    def _chunk(self, way: str, chunk: list[Any], target: int) -> Row:
        """Move a chunk; what is in the Workspace already is left out."""
        try:
            return self._migrate(way, chunk, target, dry_run=self.is_dry_run)
        except EmnifyConflictError as conflict:
            rest = _without(way, chunk, conflict, target)
            if rest is None:
                raise
            self.log.info("%d SIMs are in Workspace %d already", len(chunk) - len(rest), target)
            return self._migrate(way, rest, target, dry_run=self.is_dry_run) if rest else self._nothing()
        except EmnifyUnknownOutcomeError:
            try:
                self._migrate(way, chunk, target, dry_run=True)
            except EmnifyConflictError as conflict:
                moved = _in_workspace(conflict, target)
                if not moved:
                    raise
                if len(moved) == _size(way, chunk):
                    self.log.info("The answer was lost; %d SIMs were moved", len(moved))
                    return {**self._nothing(), "sim_count": len(moved), "sims": moved}
            raise

    def _migrate(self, way: str, chunk: list[Any], target: int, *, dry_run: bool) -> Row:
        given: dict[str, Any] = {way: tuple(chunk) if way == "iccid_range" else chunk}
        return self.client.sims.migrate(
            target_workspace_id=target,
            allowed_sim_statuses=self.allowed_sim_statuses or None,
            auto_detach_devices=self.auto_detach_devices,
            dry_run=dry_run,
            **given,
        )

    def _nothing(self) -> Row:
        return {"sim_count": 0, "dry_run": self.is_dry_run, "sims": []}


def _in_workspace(conflict: EmnifyConflictError, target: int) -> list[Row]:
    """Return the SIMs that emnify refuses to move because they are where they shall be."""
    errors = conflict.details if isinstance(conflict.details, list) else []
    sims = [sim for error in errors if isinstance(error, dict) for sim in error.get("sims") or ()]
    return [sim for sim in sims if part(sim, "source_workspace").get("id") == target]


def _size(way: str, chunk: list[Any]) -> int:
    return int(chunk[1]) - int(chunk[0]) + 1 if way == "iccid_range" else len(chunk)


def _without(way: str, chunk: list[Any], conflict: EmnifyConflictError, target: int) -> list[Any] | None:
    """Return a chunk without what is in the Workspace already; None when that is not why it was refused."""
    there = _in_workspace(conflict, target)
    if len(there) == _size(way, chunk):
        return []
    if not there or way == "iccid_range":
        return None
    names = ("id",) if way == "sim_ids" else ("iccid", "iccid_with_luhn")
    moved = {str(sim.get(name)) for sim in there for name in names}
    return [item for item in chunk if str(item) not in moved]
