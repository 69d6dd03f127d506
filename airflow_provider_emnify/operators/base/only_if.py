"""Acting only on devices or SIMs that are in a state: one look, before anything is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import BaseOperatorLink
from airflow_provider_emnify.api.enums import Connectivity, EndpointStatus, SimStatus
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.resources.few import read_rows
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import parse_ids
from airflow_provider_emnify.api.waits.kinds import STATE_WAITS, Reading
from airflow_provider_emnify.api.waits.wait import read
from airflow_provider_emnify.arguments import Argument, optional, shorten
from airflow_provider_emnify.hooks.selection import SelectsEndpoints, SelectsSims
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.operators.base.operator import EmnifyBaseOperator

Condition = Connectivity | EndpointStatus | SimStatus

_OF_SIMS = (SimStatus.ISSUED, SimStatus.ACTIVATED, SimStatus.SUSPENDED, SimStatus.FACTORY_TEST)
_OF_ENDPOINTS = (*Connectivity, EndpointStatus.ENABLED, EndpointStatus.DISABLED, *_OF_SIMS)
_GONE = Reading(None, "gone", gone=True)


def condition_in(*allowed: Condition) -> Callable[[Any, str], Condition]:
    """Return a parser of one of a few states, of which no two have the same name."""

    def parse_condition(value: Any, field: str) -> Condition:
        name = value.strip().replace(" ", "_").upper() if isinstance(value, str) else None
        for state in allowed:
            if value is state or name == state.name:
                return state
        raise ValueError(f"{field}: {value!r} is not valid; allowed: {_names(allowed)}")

    return parse_condition


def _names(states: Sequence[Condition]) -> str:
    return ", ".join(state.name.lower() for state in states)


class OnlyIf(SelectsEndpoints):
    """Base of operators that, if asked, act only on those endpoints that are in a state.

    The look comes once, before anything is done. What is in another state or does not exist is left out,
    which is no error, and the log counts it; when nothing is left, the task succeeds and does nothing. The
    result has what was acted on. A later attempt (a retry, or after clearing) looks anew.

    :param only_if: The state: connectivity (``"blocked"``, ``"offline"``, ``"attached"``, ``"online"``: a
        request for each), status (``"enabled"``, ``"disabled"``), or the status of the SIM (``"issued"``,
        ``"activated"``, ``"suspended"``, ``"factory_test"``). Default: whatever it is.
    """

    only_if = Argument(optional(condition_in(*_OF_ENDPOINTS)), default=None, templated=False)

    keeps_rows: ClassVar[bool] = True
    #: The records of those that are acted on, where the look or the selection has read them.
    looked_at: Mapping[int, Row] | None = None

    def resolve(self) -> None:
        """Leave those ids that are in the state. Called once the arguments are parsed."""
        super().resolve()
        self.looked_at, state = self.selected_rows, self.only_if
        if state is None:
            return
        ids, kind = getattr(self, self.selects), self.selected_kind
        readings, rows = self._look(ids, state)
        kept = [key for key in ids if readings.get(key, _GONE).value == state.value]
        others = Counter(readings.get(key, _GONE).label for key in ids)
        others.pop(state.label, None)
        self.log.info(
            "only_if: %d of %d %s are %s: %s; left out: %s",
            len(kept),
            len(ids),
            kind.name,
            state.label,
            shorten(kept),
            shorten([f"{count} {label}" for label, count in others.most_common()]),
        )
        self.looked_at = None if rows is None else {key: rows[key] for key in kept}
        self.__dict__[self.selects] = kept

    def _look(
        self, ids: Sequence[int], state: Condition
    ) -> tuple[Mapping[Any, Reading], Mapping[int, Row] | None]:
        """Return what the ids' states are, and their records where these say it."""
        if isinstance(state, Connectivity):
            return read(self.client, "endpoint_connectivity", ids), self.selected_rows
        kind = self.selected_kind
        found = self.selected_rows
        if found is None:
            resource = getattr(self.client, kind.resource)
            found = read_rows(ids, get=resource.get, list_all=resource.list)
        rows = {key: row for key, row in found.items() if status_of(row) != kind.gone}
        in_sim = isinstance(state, SimStatus) and kind.resource == "endpoints"
        spec = STATE_WAITS["sim_status" if isinstance(state, SimStatus) else "endpoint_status"]
        return {key: spec.reading(part(row, "sim") if in_sim else row) for key, row in rows.items()}, rows

    def restrict_only_if(self, beside: str, *allowed: Condition) -> None:
        """Refuse states that the first of two writes changes.

        Were the second to fail, a later attempt would leave out what the earlier one has begun, and succeed.

        :param beside: The argument that asks for two writes, for the message.
        :param allowed: The states that last until all is done.
        """
        state = type(self).only_if.parse(self.only_if, "only_if")
        if state is not None and not any(state is one for one in allowed):
            raise ValueError(
                f"only_if: {self.only_if!r} is not valid with {beside}: the first of the two writes changes "
                f"it, and a retry would find nothing left to do; allowed: {_names(allowed)}"
            )


class EndpointsOperator(OnlyIf, EmnifyBaseOperator):
    """Base of operators that act on endpoints (devices).

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
        ``only_if`` is that of :class:`OnlyIf`.
    """

    operator_extra_links: Sequence[BaseOperatorLink] = (EmnifyDevicesLink(),)

    endpoint_ids = Argument(parse_ids, default=None)


class OnlyIfSims(OnlyIf, SelectsSims):
    """Base of operators that, if asked, act only on those SIMs that are in a state, as :class:`OnlyIf` does.

    :param only_if: The state: ``"issued"``, ``"activated"``, ``"suspended"`` or ``"factory_test"``. Default:
        whatever it is.
    """

    only_if = Argument(optional(condition_in(*_OF_SIMS)), default=None, templated=False)
