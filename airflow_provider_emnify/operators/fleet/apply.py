"""Carrying out a plan as a task. Imported as :mod:`airflow_provider_emnify.operators.fleet`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_emnify.api.resources.fields import given
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import parse_bool
from airflow_provider_emnify.arguments import (
    Argument,
    cut,
    optional,
    parse_choice,
    parse_mapping,
    parse_text,
    shorten,
)
from airflow_provider_emnify.links import EmnifyDevicesLink, EmnifySimsLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.fleet.carry_out import Item, Work
from airflow_provider_emnify.operators.fleet.plan_file import read_plan, write_lines
from airflow_provider_emnify.operators.idempotency.attempt import Attempt
from airflow_provider_emnify.operators.idempotency.batch import for_each

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import Context, XComArg

_RESULTS = ("done", "skipped", "refused", "unknown")
_FIRST = 10  # refused and unknown ones that the XCom shows


def _plan(value: Any, field: str) -> dict[str, str | None]:
    """Return the path and the digest of a plan, of what the planning task returned or of a path."""
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        return {"path": parse_text(value, field), "digest": None}
    said = parse_mapping(value, field)
    return {"path": parse_text(said.get("path"), f"{field}: path"), "digest": said.get("digest")}


class EmnifyApplyFleetOperator(EmnifyBaseOperator):
    """Carry out a plan of :class:`~airflow_provider_emnify.operators.fleet.EmnifyPlanFleetOperator`.

    Its devices are read first. What is as it shall be is skipped, so that a task which runs again, after a
    kill too, goes on where it was, and a second one changes nothing. A device that has changed since the
    plan was made, in what the plan touches, is refused and named. Then devices are created, changed (with
    their SIMs activated, **which bill from then on**), tagged and deleted, 2,000 a request, one request after
    another; only SIMs that are suspended take one each. emnify does not say which devices of a request it
    refuses: they are found out, and the others go on.

    .. code-block:: python

        plan = EmnifyPlanFleetOperator(task_id="plan", path="/data/fleet.csv", plan_path="/data/plan.jsonl")
        EmnifyApplyFleetOperator(task_id="apply", plan=plan.output)

    :param plan: What the planning task returned, or the path of a plan (templated). Of the former also its
        digest counts: a plan that is not the one that was approved is refused.
    :param storage_conn_id: Connection to the storage of the plan; it can stand in its path, too (templated).
    :param on_drift: What to do when devices have changed since the plan: ``"fail"`` (default): nothing;
        ``"skip"``: go on with the others.
    :param fail_on_error: Fail the task when emnify has refused a device (default True), after the others are
        done; otherwise the result says so.
    :param result_path: Where what became of each device goes, as JSON lines; by default beside the plan, with
        ``.result.jsonl`` at the end (templated).
    :param emnify_conn_id: The connection to emnify.
    :returns: How many are ``done``, ``skipped`` (so already, also by an earlier attempt), ``refused`` and
        ``unknown``, the ``path`` of the whole result, and the ``first`` of those that are not done, as text.
    :raises ValueError: when the DAG is parsed, for an argument that cannot be.
    :raises AirflowFailException: for a plan that was refused or has changed, for devices that have changed or
        that emnify refuses, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/bulk-update-endpoint
    """

    operator_extra_links = (EmnifyDevicesLink(), EmnifySimsLink())
    idempotent: ClassVar[bool] = True

    plan = Argument(_plan)
    storage_conn_id = Argument(optional(parse_text))
    on_drift = Argument(parse_choice("fail", "skip"), templated=False)
    fail_on_error = Argument(parse_bool, templated=False)
    result_path = Argument(optional(parse_text))

    def __init__(
        self,
        *,
        plan: str | Mapping[str, Any] | XComArg,
        storage_conn_id: str | None = None,
        on_drift: Literal["fail", "skip"] = "fail",
        fail_on_error: bool = True,
        result_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> Row:
        """Read the devices, do what is left, and say what became of each."""
        path = str(self.plan["path"])
        about, entries = read_plan(path, self.storage_conn_id, self.plan["digest"])
        if not about.get("valid"):
            raise ValueError(f"plan: {path} is refused for its bad rows: {about.get('summary')}")
        self.log.info("Plan of %s: %s", about.get("made_at"), about.get("summary"))
        work = Work(self.client, Attempt(self, context), entries, str(about.get("key")))
        if entries:
            there, here = about.get("organisation_id"), self.client.token_info().get("organisation_id")
            if None not in {there, here} and there != here:
                raise ValueError(f"plan: {path} is of organisation {there}, and the connection of {here}")
            work.look()
        self._judge(work.items)
        try:
            work.carry_out()
        finally:
            result = self._report(path, work.items)
        for_each(
            work.items,
            _raise,
            what="apply the plan to",
            label=lambda item: str(item.entry.key),
            fail_on_error=self.fail_on_error,
        )
        return result

    def _judge(self, items: Sequence[Item]) -> None:
        drifted = [str(item) for item in items if item.result == "refused"]
        if not drifted:
            return
        if self.on_drift == "fail":
            raise ValueError(
                f"plan: {len(drifted)} devices have changed since it was made: {shorten(drifted)}; nothing "
                "was changed. Make another plan, or set on_drift='skip' to go on with the others"
            )
        self.log.warning(
            "%d devices have changed since the plan was made: %s", len(drifted), shorten(drifted)
        )

    def _report(self, path: str, items: Sequence[Item]) -> Row:
        """Write what became of each device, and return how many became what."""
        target = self.result_path or f"{path.removesuffix('.jsonl')}.result.jsonl"
        write_lines(target, self.storage_conn_id, map(_line, items))
        counts: Mapping[Any, int] = Counter(item.result for item in items)
        result: Row = {name: counts[name] for name in _RESULTS}
        self.log.info(
            "%s; the whole result is in %s",
            ", ".join(f"{count} {name}" for name, count in result.items()),
            target,
        )
        first = [cut(str(item)) for item in items if item.result in {"refused", "unknown"}][:_FIRST]
        for text in first:
            self.log.warning("%s", text)
        return {**result, "path": target, "first": first}


def _raise(item: Item) -> None:
    if item.error is not None:
        raise item.error


def _line(item: Item) -> Row:
    entry = item.entry
    return given(
        row=entry.row,
        key=entry.key,
        endpoint_id=item.endpoint_id,
        action=entry.action,
        result=item.result,
        reason=item.reason,
    )
