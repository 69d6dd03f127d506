"""SIMs as tasks: set their status, register batches, delete them, move them to another Workspace."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from airflow_provider_emnify.airflow_names import Context, XComArg
from airflow_provider_emnify.api import (
    EmnifyConflictError,
    EmnifyError,
    EmnifyPermissionError,
    EmnifyUnknownOutcomeError,
    EmnifyValidationError,
    SimStatus,
)
from airflow_provider_emnify.api.resources.bulk import read_ref, read_status, status_of
from airflow_provider_emnify.api.transport.answers import number, parts
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import parse_ids
from airflow_provider_emnify.arguments import (
    NOT_GIVEN,
    Argument,
    Ids,
    parse_choice,
    parse_text,
    require_confirmation,
    shorten,
    status_in,
)
from airflow_provider_emnify.links import EmnifySimsLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.base.only_if import OnlyIfSims
from airflow_provider_emnify.operators.idempotency.attempt import Attempt
from airflow_provider_emnify.operators.sim.transitions import (
    parse_sim_status,
    read_sims,
    set_sims,
    sims_to_change,
)

_MAYBE_REGISTERED = (
    EmnifyUnknownOutcomeError,
    EmnifyConflictError,
    EmnifyPermissionError,
    EmnifyValidationError,
)
_REGISTERED = 400  # how emnify answers that a batch is registered already


class EmnifySetSimStatusOperator(OnlyIfSims, EmnifyBaseOperator):
    """Activate or suspend SIMs, or put them into factory test.

    Everything is read first. What is there already is skipped, so that the task can run again; a SIM that
    does not exist, or may not change like that, fails the task before anything is changed. emnify allows
    Issued to Activated or Factory test, Factory test to Activated, and between Activated and Suspended. SIMs
    are changed one by one.

    **An activated SIM bills**, and its endpoint needs to be enabled too: see
    :class:`~airflow_provider_emnify.operators.endpoint.EmnifySetEndpointStatusOperator` for both in one task.
    A suspended SIM is free from the next month on.

    .. code-block:: python

        EmnifySetSimStatusOperator(task_id="suspend", sim_ids=[1001, 1002], status="suspended")

    :param sim_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsSims`.
    :param status: ``"activated"``, ``"suspended"`` or ``"factory_test"`` (templated).
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIfSims`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids.
    :raises ValueError: when the DAG is parsed, for a status that cannot be set.
    :raises AirflowFailException: when it cannot be done, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/sim/sim-by-id-patch
    """

    operator_extra_links = (EmnifySimsLink(),)
    idempotent: ClassVar[bool] = True

    sim_ids = Argument(parse_ids, default=None)
    status = Argument(parse_sim_status)

    def __init__(
        self, *, sim_ids: Ids | None = NOT_GIVEN, status: SimStatus | int | str | XComArg, **kwargs: Any
    ) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> list[int]:
        """Read everything, then change what differs."""
        ids = self.sim_ids
        sims = read_sims(self.client, ids) if self.looked_at is None else self.looked_at
        there = {f"SIM {key}": (key, read_status(SimStatus, sims[key])) for key in ids if key in sims}
        missing = [f"there is no SIM {key}" for key in ids if key not in sims]
        change = sims_to_change(there, self.status, "sim_ids", missing)
        self.log.info("%d of %d SIMs have this status already", len(ids) - len(change), len(ids))
        set_sims(self, change, self.status)
        return ids


class EmnifyRegisterSimBatchOperator(EmnifyBaseOperator):
    """Register a SIM batch by the code on its box: its SIMs belong to the organisation from then on.

    The batch is validated first. Whether emnify has registered it when the answer is lost is seen by
    validating it again. emnify does not say who has registered a batch, or when: a batch that is found to be
    registered by a later try of the task (a retry, or after clearing) is taken as this task's own.

    .. code-block:: python

        EmnifyRegisterSimBatchOperator(task_id="register", bic="8988303000000012345")

    :param bic: Batch identification code (templated).
    :param sim_status: Status that the SIMs get (templated): ``"issued"`` (default), ``"activated"``,
        ``"suspended"``, or ``"factory_test"`` where the tariff plan has it. **Activated SIMs bill.**
    :param if_exists: What to do when it is registered already: ``"skip"`` (default) or ``"fail"``.
    :param emnify_conn_id: The connection to emnify.
    :returns: ``{"bic": ..., "registered": ..., "sim_ids": [...]}``: whether this try has registered it, and
        its SIMs. emnify lists these only in its answer to the registration; else the list is empty.
    :raises ValueError: when the DAG is parsed, for a bad argument.
    :raises AirflowFailException: when it is registered already, does not exist or cannot be registered, and
        for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/sim/register-sim-batch-by-bic
    """

    operator_extra_links = (EmnifySimsLink(),)
    idempotent: ClassVar[bool] = True

    bic = Argument(parse_text)
    sim_status = Argument(
        status_in(SimStatus.ISSUED, SimStatus.ACTIVATED, SimStatus.SUSPENDED, SimStatus.FACTORY_TEST)
    )
    if_exists = Argument(parse_choice("skip", "fail"), templated=False)

    def __init__(
        self,
        *,
        bic: str | XComArg,
        sim_status: SimStatus | int | str | XComArg = "issued",
        if_exists: Literal["skip", "fail"] = "skip",
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> dict[str, Any]:
        """Validate the batch, then register it."""
        bic, status = self.bic, self.sim_status
        batch = self._validate(bic)
        if batch is None:
            return self._already(bic, context)
        self.log.info(
            "Registering SIM batch %s: %s SIMs get %s%s",
            bic,
            batch.get("quantity", "its"),
            status.label,
            ", which emnify bills" if status is SimStatus.ACTIVATED else "",
        )
        try:
            registered = self.client.sim_batches.register(bic, sim_status=status)
        except _MAYBE_REGISTERED as error:
            if self._validate(bic) is not None:
                raise
            if not isinstance(error, EmnifyUnknownOutcomeError):
                return self._already(bic, context)  # someone else was quicker
            self.log.warning("The answer was lost; SIM batch %s is registered", bic)
            registered = {}
        ids = [key for sim in parts(registered, "sim") if (key := number(sim, "id")) is not None]
        self.log.info("Registered SIM batch %s with %d SIMs: %s", bic, len(ids), shorten(ids))
        return {"bic": bic, "registered": True, "sim_ids": ids}

    def _already(self, bic: str, context: Context) -> dict[str, Any]:
        if self.if_exists == "fail" and Attempt(self, context).since is None:
            raise ValueError(
                f"bic: SIM batch {bic} is registered already; set if_exists='skip' to go on with it"
            )
        self.log.info("SIM batch %s is registered already: nothing to do", bic)
        return {"bic": bic, "registered": False, "sim_ids": []}

    def _validate(self, bic: str) -> Row | None:
        """Return a batch that can be registered, None for one that is already."""
        try:
            return self.client.sim_batches.validate(bic)
        except EmnifyError as error:
            if error.status == _REGISTERED:
                return None
            raise


class EmnifyDeleteSimsOperator(OnlyIfSims, EmnifyBaseOperator):
    """Delete SIMs, 2,000 a request. **A deleted SIM cannot be recovered.**

    Those that do not exist (any more) are done. A SIM that an endpoint has fails the task before anything is
    deleted: release it first with
    :class:`~airflow_provider_emnify.operators.endpoint.EmnifyReleaseSimOperator`, or delete both with
    :class:`~airflow_provider_emnify.operators.endpoint.EmnifyDeleteEndpointsOperator`.

    .. code-block:: python

        EmnifyDeleteSimsOperator(task_id="scrap", sim_ids=[1001, 1002], confirm=True)

    :param sim_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsSims`.
    :param confirm: Must be True: a deleted SIM cannot be brought back.
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIfSims`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids; none of them exists now.
    :raises ValueError: when the DAG is parsed, without ``confirm=True``.
    :raises AirflowFailException: when an endpoint has one of them, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/sim/bulk-sim-delete
    """

    operator_extra_links = (EmnifySimsLink(),)
    idempotent: ClassVar[bool] = True

    sim_ids = Argument(parse_ids, default=None)
    confirm = Argument(require_confirmation("deleting SIMs"), templated=False)

    def __init__(self, *, sim_ids: Ids | None = NOT_GIVEN, confirm: bool = False, **kwargs: Any) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> list[int]:
        """Look for those that exist, and delete them."""
        ids = self.sim_ids
        sims = read_sims(self.client, ids) if self.looked_at is None else self.looked_at
        there = [key for key in ids if key in sims and status_of(sims[key]) != SimStatus.DELETED]
        used = {key: holder for key in there if (holder := read_ref(sims[key], "endpoint")) is not None}
        if used:
            named = shorten([f"{key} (endpoint {holder})" for key, holder in used.items()])
            raise ValueError(f"sim_ids: endpoints have SIM {named}; nothing was deleted. Release them first")
        self.log_change("Deleting SIMs", there, len(ids), "exist no more")
        self.client.sims.delete_many(there)
        return ids
