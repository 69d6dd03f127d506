"""Airflow's own names, wherever the installed Airflow keeps them: from 2.11 on to 3.3.

Each is looked up when it is first asked for, so that nothing is imported that nobody uses. What Airflow's
``common.compat`` provider has of this came too late: the constraint files of Airflow 2.11 to 3.1 pin
releases of it without these names.
"""

# ruff: noqa: F401 - what is imported for type checkers is what it gives

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
    from airflow.sdk import (
        DAG,
        Asset,
        BaseHook,
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        Connection,
        Context,
        ObjectStoragePath,
        Param,
        PokeReturnValue,
        XComArg,
        dag,
        task,
    )
    from airflow.sdk._shared.observability.metrics.stats import Stats
    from airflow.sdk._shared.observability.metrics.stats import Stats as ServerStats
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowOptionalProviderFeatureException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
        TaskDeferred,
    )
    from airflow.sdk.lineage import get_hook_lineage_collector
    from airflow.sdk.types import TaskInstanceKey

_EXCEPTIONS = ("airflow.sdk.exceptions", "airflow.exceptions")

PLACES: dict[str, tuple[str, ...]] = {
    "AirflowException": _EXCEPTIONS,
    "AirflowFailException": _EXCEPTIONS,
    "AirflowNotFoundException": _EXCEPTIONS,
    "AirflowOptionalProviderFeatureException": _EXCEPTIONS,
    "AirflowSensorTimeout": _EXCEPTIONS,
    "AirflowSkipException": _EXCEPTIONS,
    "AirflowTaskTimeout": _EXCEPTIONS,
    "Asset": ("airflow.sdk", "airflow.datasets:Dataset"),
    "BaseHook": ("airflow.sdk", "airflow.hooks.base"),
    "BaseOperator": ("airflow.sdk", "airflow.models.baseoperator"),
    "BaseOperatorLink": ("airflow.sdk", "airflow.models.baseoperatorlink"),
    "BaseSensorOperator": ("airflow.sdk", "airflow.sensors.base"),
    "Connection": ("airflow.sdk", "airflow.models.connection"),
    "Context": ("airflow.sdk", "airflow.utils.context"),
    "DAG": ("airflow.sdk", "airflow.models.dag"),
    "ObjectStoragePath": ("airflow.sdk", "airflow.io.path"),
    "Param": ("airflow.sdk", "airflow.models.param"),
    "PokeReturnValue": ("airflow.sdk", "airflow.sensors.base"),
    # Of Airflow's own servers: what a task counts goes another way.
    "ServerStats": ("airflow.observability.stats:Stats", "airflow.stats:Stats"),
    "Stats": ("airflow.sdk.observability.stats", "airflow.observability.stats", "airflow.stats"),
    "TaskDeferred": _EXCEPTIONS,
    "TaskInstanceKey": ("airflow.sdk.types", "airflow.models.taskinstancekey"),
    "TimeDeltaTrigger": ("airflow.providers.standard.triggers.temporal", "airflow.triggers.temporal"),
    "XComArg": ("airflow.sdk", "airflow.models.xcom_arg"),
    "conf": ("airflow.sdk.configuration", "airflow.configuration"),
    "dag": ("airflow.sdk", "airflow.decorators"),
    "get_hook_lineage_collector": ("airflow.sdk.lineage", "airflow.lineage.hook"),
    "task": ("airflow.sdk", "airflow.decorators"),
}
"""Where each name is, the newest place first; ``module:name`` where it was called otherwise."""


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for place in PLACES[name]:
        module, _, former = place.partition(":")
        try:
            found = getattr(import_module(module), former or name)
        except (ImportError, AttributeError):
            continue
        globals()[name] = found
        return found
    raise ImportError(f"this Airflow has no {name}; looked in {', '.join(PLACES[name])}")


async def get_async_connection(conn_id: str) -> Connection:
    """Return a connection, on an event loop, without holding it.

    A thread of Airflow's own kind (``sync_to_async``) hands what it tells Airflow back to the loop. Before
    Airflow 3.3.2, ``aget_connection`` masks secrets in a way that fails on a loop.

    :raises AirflowNotFoundException: when there is no such connection.
    """
    from asgiref.sync import sync_to_async

    hook, connection = __getattr__("BaseHook"), __getattr__("Connection")
    if hasattr(connection, "aextra_dejson"):
        found: Connection = await hook.aget_connection(conn_id)
    else:
        found = await sync_to_async(hook.get_connection)(conn_id)
    return found
