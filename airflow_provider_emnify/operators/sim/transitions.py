"""Setting the status of SIMs: what can be set, which may change, and one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api import SimStatus
from airflow_provider_emnify.arguments import shorten
from airflow_provider_emnify.operators.idempotency.batch import each, partial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emnify.operators.base import EmnifyBaseOperator


def usable_sim_status(value: Any, field: str = "sim_status") -> SimStatus | None:
    """Return the status that a SIM can be given; None for nothing.

    :param field: Name of the argument, for the message.
    :raises ValueError: for any other, also for issued and deleted.
    """
    if value is None or value == "":
        return None
    try:
        status = SimStatus.parse(value)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None
    if status in {SimStatus.ISSUED, SimStatus.DELETED}:
        raise ValueError(f"{field}: {value!r} cannot be set; give activated, suspended or factory_test")
    return status


def set_sims(operator: EmnifyBaseOperator, sim_ids: Sequence[int], status: SimStatus) -> None:
    """Set the status of SIMs, one after another: emnify has no bulk call for it.

    :raises EmnifyPartialError: when one of them was not changed, with what was done and what was not.
    """
    bills = ", which emnify bills from now on" if status is SimStatus.ACTIVATED and sim_ids else ""
    operator.log.info(
        "Setting %d SIMs to %s (%s)%s", len(sim_ids), status.label, shorten(sim_ids) or "none", bills
    )
    sims, what = operator.client.sims, f"set to {status.label}:"

    def change(sim_id: int) -> None:
        sims.update(sim_id, status=status)

    refused = each(sim_ids, change, label=_label, what=what)
    if refused:
        raise partial(sim_ids, refused, label=_label, what=what)


def _label(sim_id: int) -> str:
    return f"SIM {sim_id}"
