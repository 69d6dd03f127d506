"""SIMs into and out of endpoints, as tasks. Imported as :mod:`airflow_provider_emnify.operators.endpoint`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api import SimStatus
from airflow_provider_emnify.api.resources.bulk import read_ref, status_of
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import parse_bool, parse_ids
from airflow_provider_emnify.arguments import Argument, Ids, is_known, shorten
from airflow_provider_emnify.links import EmnifyDevicesLink, EmnifySimsLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.base.only_if import OnlyIf
from airflow_provider_emnify.operators.endpoint.rows import read_all_endpoints, read_endpoints
from airflow_provider_emnify.operators.sim.transitions import read_sims


class EmnifyAssignSimOperator(EmnifyBaseOperator):
    """Put SIMs into endpoints (devices), 2,000 a request: the first SIM into the first endpoint, and so on.

    Everything is read first. An endpoint that has its SIM already is skipped, so that the task can run
    again; a SIM that is deleted or in another endpoint, and an endpoint that has another SIM, fail the task
    before anything is changed. The SIM keeps its status: activate it with
    :class:`~airflow_provider_emnify.operators.endpoint.EmnifySetEndpointStatusOperator`, and mind that **an
    activated SIM bills, also on a disabled endpoint**.

    .. code-block:: python

        EmnifyAssignSimOperator(task_id="sims", endpoint_ids=[7, 8], sim_ids=[1001, 1002])

    :param endpoint_ids: One id or many (templated).
    :param sim_ids: The SIM of each, in the same order (templated).
    :param replace: Whether another SIM that an endpoint has is released first (default False). It keeps its
        status; **an activated one goes on billing**.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids of the endpoints.
    :raises ValueError: when the DAG is parsed, for endpoints and SIMs that are not as many.
    :raises AirflowFailException: when it cannot be done, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/bulk-update-endpoint
    """

    operator_extra_links = (EmnifyDevicesLink(), EmnifySimsLink())
    idempotent: ClassVar[bool] = True

    endpoint_ids = Argument(parse_ids)
    sim_ids = Argument(parse_ids)
    replace = Argument(parse_bool, templated=False)

    def __init__(self, *, endpoint_ids: Ids, sim_ids: Ids, replace: bool = False, **kwargs: Any) -> None:
        self.init_task(locals())
        if is_known(endpoint_ids) and is_known(sim_ids):
            _pairs(parse_ids(endpoint_ids), parse_ids(sim_ids))

    def execute(self, context: Context) -> list[int]:
        """Read everything, then change what differs."""
        client, pairs = self.client, _pairs(self.endpoint_ids, self.sim_ids)
        endpoints = read_all_endpoints(client, [*pairs])
        sims = read_sims(client, [*pairs.values()])
        change = {key: sim_id for key, sim_id in pairs.items() if _sim_of(endpoints[key]) != sim_id}
        others = {key: _sim_of(endpoints[key]) for key in change}
        others = {key: other for key, other in others.items() if other is not None}
        self._judge(change, sims, others)
        puts = [f"SIM {sim_id} into {key}" for key, sim_id in change.items()]
        self.log_change("Putting SIMs into endpoints", puts, len(pairs), "are there already")
        if others:
            self.log.info("Releasing SIMs first: %s", shorten([*others.values()]))
            client.endpoints.update_many([{"id": key, "sim_id": None} for key in others])
        client.endpoints.update_many([{"id": key, "sim_id": sim_id} for key, sim_id in change.items()])
        return [*pairs]

    def _judge(self, change: Mapping[int, int], sims: Mapping[int, Row], others: Mapping[int, Any]) -> None:
        reasons = []
        for key, sim_id in change.items():
            sim = sims.get(sim_id)
            holder = None if sim is None else read_ref(sim, "endpoint")
            if sim is None or status_of(sim) == SimStatus.DELETED:
                reasons.append(f"there is no SIM {sim_id}")
            elif holder not in {None, key}:
                reasons.append(f"SIM {sim_id} is in endpoint {holder}: release it first")
            elif key in others and not self.replace:
                reasons.append(f"endpoint {key} has SIM {others[key]}: release it first, or set replace=True")
        if reasons:
            raise ValueError(f"sim_ids: {shorten(reasons)}; nothing was changed")


class EmnifyReleaseSimOperator(OnlyIf, EmnifyBaseOperator):
    """Take SIMs out of endpoints (devices), 2,000 a request. What is out already is done.

    A released SIM keeps its status: **an activated one goes on billing**. Suspend it with
    ``EmnifySetSimStatusOperator``; give ``sim_ids`` here too, then a task that runs again has the same
    result.

    .. code-block:: python

        EmnifyReleaseSimOperator(task_id="release", sim_ids=[1001, 1002])

    :param endpoint_ids: Endpoints whose SIMs are released, one id or many (templated); or else ``select``,
        with ``max_selected`` and ``fail_if_empty``, see
        :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param sim_ids: Instead of ``endpoint_ids``: the SIMs, wherever they are (templated).
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids that were given.
    :raises ValueError: when the DAG is parsed, unless one of the two is given.
    :raises AirflowFailException: when there is no such endpoint or SIM, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/bulk-update-endpoint
    """

    operator_extra_links = (EmnifyDevicesLink(), EmnifySimsLink())
    idempotent: ClassVar[bool] = True

    endpoint_ids = Argument(parse_ids)
    sim_ids = Argument(parse_ids)

    def __init__(self, *, endpoint_ids: Ids | None = None, sim_ids: Ids | None = None, **kwargs: Any) -> None:
        self.init_task(locals())
        if sum(given is not None for given in (endpoint_ids, self.select, sim_ids)) != 1:
            raise ValueError("endpoint_ids, select, sim_ids: give one of them")
        if sim_ids is not None and self.only_if is not None:
            raise ValueError("only_if: it goes with endpoint_ids or select, not with sim_ids")

    def execute(self, context: Context) -> list[int]:
        """Look for endpoints that have a SIM, and take it out."""
        if self.sim_ids:
            held = self._holders(self.sim_ids)
        else:
            ids, looked_at = self.endpoint_ids, self.looked_at
            rows = read_all_endpoints(self.client, ids) if looked_at is None else looked_at
            held = {key: sim_id for key, row in rows.items() if (sim_id := _sim_of(row)) is not None}
        given = self.sim_ids or self.endpoint_ids
        releases = [f"SIM {sim_id} of {key}" for key, sim_id in held.items()]
        rest = "are released already; each keeps its status, and an activated one bills"
        self.log_change("Releasing SIMs", releases, len(given), rest)
        self.client.endpoints.update_many([{"id": key, "sim_id": None} for key in held])
        return given

    def _holders(self, sim_ids: Sequence[int]) -> dict[int, int]:
        """Return which endpoint holds which of the SIMs.

        :raises ValueError: naming SIMs that do not exist, before anything is changed.
        """
        sims = read_sims(self.client, sim_ids)
        missing = [sim_id for sim_id in sim_ids if sim_id not in sims]
        if missing:
            raise ValueError(f"sim_ids: there is no SIM {shorten(missing)}; nothing was changed")
        holders = {sim_id: read_ref(sims[sim_id], "endpoint") for sim_id in sim_ids}
        held = {key: sim_id for sim_id, key in holders.items() if key is not None}
        # By now an endpoint may be gone, or have another SIM than the one that is to be released.
        there = read_endpoints(self.client, [*held])
        return {key: held[key] for key, row in there.items() if _sim_of(row) == held[key]}


def _pairs(endpoints: Sequence[int], sims: Sequence[int]) -> dict[int, int]:
    """Return the SIM of each endpoint.

    :raises ValueError: when they are not as many.
    """
    if len(endpoints) != len(sims):
        raise ValueError(
            f"endpoint_ids, sim_ids: {len(endpoints)} different endpoints and {len(sims)} different SIMs; "
            "give one SIM for each endpoint, in the same order"
        )
    return dict(zip(endpoints, sims, strict=True))


def _sim_of(endpoint: Mapping[str, Any]) -> int | None:
    return read_ref(dict(endpoint), "sim")
