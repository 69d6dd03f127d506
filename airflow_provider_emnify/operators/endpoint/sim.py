"""SIMs into and out of endpoints, as tasks. Imported as :mod:`airflow_provider_emnify.operators.endpoint`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.api import SimStatus
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.resources.few import read_rows
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.values import parse_ids
from airflow_provider_emnify.arguments import check_early, is_known, shorten
from airflow_provider_emnify.links import EmnifyDevicesLink, EmnifySimsLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.endpoint.rows import endpoint_ids as parse_endpoint_ids
from airflow_provider_emnify.operators.endpoint.rows import read_all_endpoints, read_endpoints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api.types import Row


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

    template_fields: Sequence[str] = ("emnify_conn_id", "endpoint_ids", "sim_ids")
    operator_extra_links = (EmnifyDevicesLink(), EmnifySimsLink())
    idempotent: ClassVar[bool] = True

    def __init__(self, *, endpoint_ids: Any, sim_ids: Any, replace: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_early(parse_endpoint_ids, endpoint_ids)
        check_early(parse_ids, sim_ids, "sim_ids")
        if is_known(endpoint_ids) and is_known(sim_ids):
            _pairs(endpoint_ids, sim_ids)
        if not isinstance(replace, bool):
            raise ValueError(f"replace: {replace!r} is neither True nor False")  # noqa: TRY004 - as all bad arguments
        self.endpoint_ids = endpoint_ids
        self.sim_ids = sim_ids
        self.replace = replace

    def execute(self, context: Context) -> list[int]:
        """Read everything, then change what differs."""
        del context
        pairs = _pairs(self.endpoint_ids, self.sim_ids)
        if not pairs:
            self.log.info("No endpoints given: nothing to do")
            return []
        client = self.client
        endpoints = read_all_endpoints(client, [*pairs])
        sims = read_rows([*pairs.values()], get=client.sims.get, list_all=client.sims.list)
        change = {key: sim_id for key, sim_id in pairs.items() if _sim_of(endpoints[key]) != sim_id}
        others = {key: _sim_of(endpoints[key]) for key in change}
        others = {key: other for key, other in others.items() if other is not None}
        self._judge(change, sims, others)
        self.log.info(
            "Putting %d SIMs into endpoints (%s), %d are there already%s",
            len(change),
            shorten([f"SIM {sim_id} into {key}" for key, sim_id in change.items()]) or "none",
            len(pairs) - len(change),
            f"; releasing SIM {shorten([*others.values()])} first" if others else "",
        )
        if others:
            client.endpoints.update_many([{"id": key, "sim_id": None} for key in others])
        if change:
            client.endpoints.update_many([{"id": key, "sim_id": sim_id} for key, sim_id in change.items()])
        return [*pairs]

    def _judge(self, change: Mapping[int, int], sims: Mapping[int, Row], others: Mapping[int, Any]) -> None:
        reasons = []
        for key, sim_id in change.items():
            sim = sims.get(sim_id)
            holder = (sim or {}).get("endpoint") or {}
            if sim is None or status_of(sim) == SimStatus.DELETED:
                reasons.append(f"there is no SIM {sim_id}")
            elif holder.get("id") not in {None, key}:
                reasons.append(f"SIM {sim_id} is in endpoint {holder['id']}: release it first")
            elif key in others and not self.replace:
                reasons.append(f"endpoint {key} has SIM {others[key]}: release it first, or set replace=True")
        if reasons:
            raise ValueError(f"sim_ids: {shorten(reasons)}; nothing was changed")


class EmnifyReleaseSimOperator(EmnifyBaseOperator):
    """Take SIMs out of endpoints (devices), 2,000 a request. What is out already is done.

    A released SIM keeps its status: **an activated one goes on billing**. Suspend it with
    ``EmnifySetSimStatusOperator``; give ``sim_ids`` here too, then a task that runs again has the same
    result.

    .. code-block:: python

        EmnifyReleaseSimOperator(task_id="release", sim_ids=[1001, 1002])

    :param endpoint_ids: Endpoints whose SIMs are released, one id or many (templated).
    :param sim_ids: Instead of ``endpoint_ids``: the SIMs, wherever they are (templated).
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids that were given.
    :raises ValueError: when the DAG is parsed, unless one of the two is given.
    :raises AirflowFailException: when there is no such endpoint or SIM, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/bulk-update-endpoint
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "endpoint_ids", "sim_ids")
    operator_extra_links = (EmnifyDevicesLink(), EmnifySimsLink())
    idempotent: ClassVar[bool] = True

    def __init__(self, *, endpoint_ids: Any = None, sim_ids: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if (endpoint_ids is None) == (sim_ids is None):
            raise ValueError("endpoint_ids, sim_ids: give one of them")
        check_early(parse_endpoint_ids, endpoint_ids)
        check_early(parse_ids, sim_ids, "sim_ids")
        self.endpoint_ids = endpoint_ids
        self.sim_ids = sim_ids

    def execute(self, context: Context) -> list[int]:
        """Look for endpoints that have a SIM, and take it out."""
        del context
        if self.sim_ids is None:
            given = parse_endpoint_ids(self.endpoint_ids)
            rows = read_all_endpoints(self.client, given) if given else {}
            held = {key: sim_id for key, row in rows.items() if (sim_id := _sim_of(row)) is not None}
        else:
            given = parse_ids(self.sim_ids, "sim_ids")
            held = self._holders(given) if given else {}
        if not given:
            self.log.info("No ids given: nothing to do")
            return []
        self.log.info(
            "Releasing %d SIMs (%s), %d are out already; each keeps its status, and an activated one bills",
            len(held),
            shorten([f"SIM {sim_id} of {key}" for key, sim_id in held.items()]) or "none",
            len(given) - len(held),
        )
        if held:
            self.client.endpoints.update_many([{"id": key, "sim_id": None} for key in held])
        return given

    def _holders(self, sim_ids: Sequence[int]) -> dict[int, int]:
        """Return which endpoint holds which of the SIMs.

        :raises ValueError: naming SIMs that do not exist, before anything is changed.
        """
        client = self.client
        sims = read_rows(sim_ids, get=client.sims.get, list_all=client.sims.list)
        missing = [sim_id for sim_id in sim_ids if sim_id not in sims]
        if missing:
            raise ValueError(f"sim_ids: there is no SIM {shorten(missing)}; nothing was changed")
        holders = {sim_id: part(sims[sim_id], "endpoint").get("id") for sim_id in sim_ids}
        held = {int(key): sim_id for sim_id, key in holders.items() if key is not None}
        # By now an endpoint may be gone, or have another SIM than the one that is to be released.
        there = read_endpoints(client, [*held]) if held else {}
        return {key: held[key] for key, row in there.items() if _sim_of(row) == held[key]}


def _pairs(endpoint_ids: Any, sim_ids: Any) -> dict[int, int]:
    """Return the SIM of each endpoint.

    :raises ValueError: when they are not as many.
    """
    endpoints, sims = parse_endpoint_ids(endpoint_ids), parse_ids(sim_ids, "sim_ids")
    if len(endpoints) != len(sims):
        raise ValueError(
            f"endpoint_ids, sim_ids: {len(endpoints)} different endpoints and {len(sims)} different SIMs; "
            "give one SIM for each endpoint, in the same order"
        )
    return dict(zip(endpoints, sims, strict=True))


def _sim_of(endpoint: Mapping[str, Any]) -> int | None:
    sim_id = part(endpoint, "sim").get("id")
    return None if sim_id is None else int(sim_id)
