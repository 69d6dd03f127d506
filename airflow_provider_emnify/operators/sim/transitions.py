"""Setting the status of SIMs: what can be set, which may change, and one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_provider_emnify.api import SimStatus
from airflow_provider_emnify.api.resources.few import read_rows
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.arguments import shorten, status_in
from airflow_provider_emnify.operators.idempotency.batch import for_each

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.operators.base import EmnifyBaseOperator

parse_sim_status = status_in(SimStatus.ACTIVATED, SimStatus.SUSPENDED, SimStatus.FACTORY_TEST)
"""Return the status that a SIM can be given."""


def read_sims(client: EmnifyClient, ids: Sequence[int]) -> dict[int, Row]:
    """Return those SIMs that exist, by id, in the lesser number of requests."""
    return read_rows(ids, get=client.sims.get, list_all=client.sims.list)


def sims_to_change(
    sims: Mapping[str, tuple[int, SimStatus]], target: SimStatus, field: str, reasons: Sequence[str]
) -> list[int]:
    """Return the SIMs that do not have a status yet.

    :param sims: The id and the status of each SIM, by how a message names it.
    :param field: Name of the argument, for the message.
    :param reasons: Why some cannot get it, as far as that is known.
    :raises ValueError: naming all that cannot get it.
    """
    refused = [
        f"{name} is {now.label}, which cannot become {target.label}"
        for name, (_, now) in sims.items()
        if not now.may_become(target)
    ]
    if reasons or refused:
        raise ValueError(f"{field}: {shorten([*reasons, *refused])}; nothing was changed")
    return [sim_id for sim_id, now in sims.values() if now is not target]


def set_sims(operator: EmnifyBaseOperator, sim_ids: Sequence[int], status: SimStatus) -> None:
    """Set the status of SIMs, one after another: emnify has no bulk call for it.

    :raises EmnifyPartialError: when one of them was not changed, with what was done and what was not.
    """
    bills = ", which emnify bills from now on" if status is SimStatus.ACTIVATED and sim_ids else ""
    operator.log.info("Setting %d SIMs to %s (%s)%s", len(sim_ids), status.label, shorten(sim_ids), bills)
    sims = operator.client.sims
    for_each(
        sim_ids,
        lambda sim_id: sims.update(sim_id, status=status),
        what=f"set to {status.label}:",
        label=lambda sim_id: f"SIM {sim_id}",
    )
