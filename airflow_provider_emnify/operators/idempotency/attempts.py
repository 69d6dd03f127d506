"""What an earlier try of the same task has created, and what is left to a person."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyUnknownOutcomeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emnify.airflow_names import Context

_CLOCKS_MAY_DIFFER = timedelta(minutes=1)


def made_by_this_task(row: Mapping[str, Any], context: Context) -> bool:
    """Tell whether something that exists was created by an earlier try of this task.

    That it was is taken for granted on a retry (the first try cannot have created it) for what was created
    since the DAG run started, give or take a minute by which clocks may differ. emnify does not keep who
    created a thing.

    :param row: The thing, with ``created``.
    :param context: The task's context, with ``ti`` and ``dag_run``.
    """
    instance, run = context.get("ti"), context.get("dag_run")
    started = getattr(run, "start_date", None)
    created = parse_moment(row.get("created"))
    is_first_try = int(getattr(instance, "try_number", 1) or 1) <= 1
    if is_first_try or started is None or created is None:
        return False
    return bool(created >= started - _CLOCKS_MAY_DIFFER)


def parse_moment(value: Any) -> datetime | None:
    """Return the point in time that emnify wrote, for example ``2021-11-18T08:25:53.000+0000``."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def earlier_tries_since(context: Context) -> datetime | None:
    """Return since when an earlier try of this task may have acted; None for the first try.

    Tries are counted on when a task is retried or cleared. That is since the run started, less a minute by
    which clocks may differ. Clearing a task of a finished run gives that run a new start: then it is since
    the run was due, which for a manual run is when it was asked for.

    :param context: The task's context, with ``ti`` and ``dag_run``.
    """
    instance, run = context.get("ti"), context.get("dag_run")
    if int(getattr(instance, "try_number", 1) or 1) <= 1:
        return None
    started = [getattr(run, "start_date", None)]
    if int(getattr(run, "clear_number", 0) or 0) > 0:
        due = getattr(run, "run_after", None) or getattr(run, "data_interval_end", None)
        started += [due or getattr(run, "logical_date", None)]
    known = [moment for moment in started if isinstance(moment, datetime)]
    return min(known) - _CLOCKS_MAY_DIFFER if known else None


def unknown_for_good(message: str) -> AirflowFailException:
    """Return the error that fails a task without retries when a person has to look.

    :param message: What may have happened, and what to check.
    """
    error = AirflowFailException(message)
    error.__cause__ = EmnifyUnknownOutcomeError(message)
    return error


def identity(context: Context, bits: int = 8) -> int:
    """Return a number that is the same in each try of a task instance, and most likely another for others.

    :param context: The task's context, with ``ti``.
    :param bits: How large it may be.
    """
    instance = context.get("ti")
    names = ("dag_id", "task_id", "run_id", "map_index")
    told = "\n".join(str(getattr(instance, name, "")) for name in names)
    return int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big") >> (64 - bits)
