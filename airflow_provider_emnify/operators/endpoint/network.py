"""Endpoints on the network, as tasks. Imported as :mod:`airflow_provider_emnify.operators.endpoint`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api import (
    EmnifyConflictError,
    EmnifyError,
    EmnifyNetworkStateError,
    EmnifyNotFoundError,
    SimStatus,
)
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import parse_bool, parse_ids
from airflow_provider_emnify.arguments import NOT_GIVEN, Argument, Ids, shorten
from airflow_provider_emnify.operators.base.only_if import EndpointsOperator
from airflow_provider_emnify.operators.endpoint.rows import read_all_endpoints
from airflow_provider_emnify.operators.idempotency.batch import for_each


class EmnifyResetConnectivityOperator(EndpointsOperator):
    """Make endpoints (devices) reconnect, one after another.

    One that emnify refuses does not keep the others from it: all are tried, and the error lists what was
    reset and what was not. The reset is on its way when the task ends; wait for the device with
    ``EmnifyEndpointConnectivitySensor``. A task that runs again resets them again.

    **emnify moves a Factory-test SIM to Activated by this, and an activated SIM bills**; the log names them
    before anything is sent.

    .. code-block:: python

        EmnifyResetConnectivityOperator(task_id="reset", endpoint_ids=[7, 8])

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param location: Cancel the registration with the network (default True).
    :param pdp_context: End the data session (default True).
    :param fail_on_error: Fail the task when an endpoint could not be reset (default True); otherwise the
        result says so.
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: What became of each, by id: ``"reset"``, or why it was not.
    :raises ValueError: when the DAG is parsed, if neither is to be reset.
    :raises AirflowFailException: for an endpoint that does not exist, before anything is reset, and for any
        permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/update-endpoint-connectivity-by-id
    """

    location = Argument(parse_bool, templated=False)
    pdp_context = Argument(parse_bool, templated=False)
    fail_on_error = Argument(parse_bool, templated=False)

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = NOT_GIVEN,
        location: bool = True,
        pdp_context: bool = True,
        fail_on_error: bool = True,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        if not location and not pdp_context:
            raise ValueError("location, pdp_context: reset one of them, or both")

    def execute(self, context: Context) -> dict[str, str]:
        """Read them, say what it will cost, and reset one after another."""
        client, ids = self.client, self.endpoint_ids
        rows = read_all_endpoints(client, ids) if self.looked_at is None else self.looked_at
        self._say_what_bills(rows.values())
        how = {"location": self.location, "pdp_context": self.pdp_context}
        what = " and ".join(name for name, reset in how.items() if reset)
        self.log.info("Resetting %s of %d endpoints: %s", what, len(ids), shorten(ids))
        _, refused = for_each(
            ids,
            lambda key: client.endpoints.reset_connectivity(key, **how),
            what="reset the connectivity of endpoint",
            fail_on_error=self.fail_on_error,
        )
        self.log.info("Reset %d of %d endpoints", len(ids) - len(refused), len(ids))
        return {str(key): f"not reset: {refused[key]}" if key in refused else "reset" for key in ids}

    def _say_what_bills(self, endpoints: Iterable[Row]) -> None:
        sims = [part(row, "sim") for row in endpoints]
        testing = [sim.get("id") for sim in sims if status_of(sim) == SimStatus.FACTORY_TEST]
        if testing:
            self.log.warning(
                "%d SIMs are in factory test; the reset makes them Activated, which emnify bills: %s",
                len(testing),
                shorten(testing),
            )


class EmnifyLocateEndpointsOperator(EndpointsOperator):
    """Ask the network in which cell endpoints (devices) are.

    The network answers when the device can be reached. emnify reports a failure in an answer that looks like
    a success; here it is one. Nothing is changed, so the task can run again.

    .. code-block:: python

        EmnifyLocateEndpointsOperator(task_id="where", endpoint_ids=[7, 8])

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param fail_on_error: Fail the task when an endpoint was not located (default False: the result says so).
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: For each, by id: ``{"located": True, "mcc", "mnc", "lac", "cid", "state", "current",
        "age_of_location", "at"}``, with what the network said of these, or ``{"located": False, "error"}``.
    :raises EmnifyPartialError: with ``fail_on_error``, when the network does not know; another attempt asks
        again.
    :raises AirflowFailException: with ``fail_on_error``, for an endpoint that does not exist, and for any
        permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/get-connectivity-info-by-endpoint-id
    """

    fail_on_error = Argument(parse_bool, templated=False)

    def __init__(
        self, *, endpoint_ids: Ids | None = NOT_GIVEN, fail_on_error: bool = False, **kwargs: Any
    ) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> dict[str, Row]:
        """Ask for one after another."""
        ids = self.endpoint_ids
        self.log.info("Locating %d endpoints: %s", len(ids), shorten(ids))
        found, unknown = for_each(
            ids,
            lambda key: _cell(self.client.endpoints.connectivity_info(key)),
            what="locate endpoint",
            fail_on_error=self.fail_on_error,
        )
        failed = shorten([f"{key} ({why})" for key, why in unknown.items()])
        self.log.info("Located %d of %d endpoints; not: %s", len(found), len(ids), failed)
        return {
            str(key): {"located": False, "error": str(unknown[key])} if key in unknown else found[key]
            for key in ids
        }


class _OperatorList(EndpointsOperator):
    """Base of the two that change which network operators endpoints may use."""

    idempotent: ClassVar[bool] = True

    what: ClassVar[str]
    #: What emnify answers when it is so already, and what that means.
    done: ClassVar[tuple[type[EmnifyError], str]]

    operator_ids = Argument(parse_ids)

    def __init__(self, *, endpoint_ids: Ids | None = NOT_GIVEN, operator_ids: Ids, **kwargs: Any) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> list[int]:
        """Change the list of one endpoint after another."""
        ids, operators = self.endpoint_ids, self.operator_ids
        pairs = [(endpoint_id, operator_id) for endpoint_id in ids for operator_id in operators]
        doing = f"{self.what.capitalize()}ing operators"
        self.log.info("%s %s for %d endpoints: %s", doing, shorten(operators), len(ids), shorten(ids))
        for_each(pairs, self._change, what=self.what, label=_pair)
        return ids

    def _change(self, pair: tuple[int, int]) -> None:
        kind, meaning = self.done
        try:
            getattr(self.client.endpoints, f"{self.what}_operator")(*pair)
        except kind as error:
            self.log.info("%s %s (%s)", _pair(pair), meaning, error.message)


class EmnifyBlockNetworkOperator(_OperatorList):
    """Keep endpoints (devices) from network operators. One that is blocked already is done.

    .. code-block:: python

        EmnifyBlockNetworkOperator(task_id="block", endpoint_ids=[7, 8], operator_ids=[2])

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param operator_ids: Network operators, one id or many (templated), as ``client.operators.list()`` of the
        hook's client has them. Each is blocked for each endpoint.
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids of the endpoints.
    :raises AirflowFailException: for an endpoint or operator that does not exist, when all others are
        blocked, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-operator-blacklist-by-ep-id-and-operator-id-put
    """

    what, done = "block", (EmnifyConflictError, "is blocked already")


class EmnifyUnblockNetworkOperator(_OperatorList):
    """Let endpoints (devices) use network operators again. One that is not blocked (any more) is done.

    .. code-block:: python

        EmnifyUnblockNetworkOperator(task_id="unblock", endpoint_ids=[7, 8], operator_ids=[2])

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param operator_ids: Network operators, one id or many (templated), as ``client.operators.list()`` of the
        hook's client has them. Each is unblocked for each endpoint.
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids of the endpoints.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-operator-blacklist-by-ep-id-and-operator-id-delete
    """

    what, done = "unblock", (EmnifyNotFoundError, "is not blocked")


def _cell(info: Row) -> Row:
    """Return where an endpoint is, of an answer that is a 200 either way.

    :raises EmnifyNetworkStateError: when the network does not know.
    """
    subscriber = part(info, "subscriber_info")
    location = part(subscriber, "location")
    cell = part(location, "cell_global_id")
    if not subscriber.get("success") or not cell:
        raise EmnifyNetworkStateError(str(subscriber.get("error") or "the network names no cell"))
    return {
        "located": True,
        **{name: cell.get(name) for name in ("mcc", "mnc", "lac", "cid")},
        "state": subscriber.get("state"),
        "current": location.get("current_location_retrieved"),
        "age_of_location": location.get("age_of_location"),
        "at": info.get("reply_timestamp"),
    }


def _pair(pair: tuple[int, int]) -> str:
    return f"operator {pair[1]} for endpoint {pair[0]}"
