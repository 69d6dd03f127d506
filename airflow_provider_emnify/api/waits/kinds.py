"""The kinds of waits: how each is read, what its states are, and which of them end it.

A table: to wait for something new, add a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import (
    CloudConnectStatus,
    Connectivity,
    DataStreamStatus,
    EndpointStatus,
    EventSeverity,
    EventSource,
    Lookup,
    OperationState,
    QuotaStatus,
    SimBatchState,
    SimStatus,
    SmsStatus,
    UserStatus,
    Word,
)
from airflow_provider_emnify.api.errors import (
    EmnifyNetworkStateError,
    EmnifyNotFoundError,
    EmnifyServerError,
    EmnifyValidationError,
)
from airflow_provider_emnify.api.transport.answers import decimal, part, parts
from airflow_provider_emnify.api.transport.paging import Listing
from airflow_provider_emnify.api.transport.request import Request
from airflow_provider_emnify.api.types import Id, Row
from airflow_provider_emnify.api.values import as_list, parse_ids, parse_pairs, parse_texts, parse_user_ids

if TYPE_CHECKING:
    from enum import Enum

    from airflow_provider_emnify.api.client import EmnifyClient

State = Lookup | Word


@dataclass(frozen=True)
class Reading:
    """What one look said.

    :param value: The state, as a value of the kind's enum; None when it is gone, or a state unknown here.
    :param label: The state as emnify writes it, with the reason where it gives one.
    :param gone: There is no such thing (any more).
    """

    value: int | str | None
    label: str
    gone: bool = False


# One reading for all rows that say the same: a fleet of them would be much to collect.
_the_same = lru_cache(64)(Reading)


def no_filters(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse filters.

    :raises ValueError: when there are any.
    """
    if filters:
        raise ValueError(f"filters: {', '.join(filters)} are not valid for this wait")
    return {}


def parse_states(
    states: type[State | EventSeverity | EventSource], value: Any, field: str
) -> tuple[Any, ...]:
    """Return the states that ``value`` means: one or several, each as enum, name or number.

    :raises ValueError: naming ``field``, when one of them is not such a state.
    """
    try:
        return _states(states, tuple(dict.fromkeys(states.parse(item).value for item in as_list(value))))
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


@lru_cache(256)
def _states(states: type[Enum], values: tuple[int | str, ...]) -> tuple[Any, ...]:
    """Return one tuple for all waits for the same: ten thousand of them would be much to collect."""
    return tuple(states(value) for value in values)


def _status_id(row: Row) -> Any:
    status = row.get("status")
    return status.get("id") if isinstance(status, dict) else status


def _only_status(part: Row) -> Any:
    """Keep of a listed row its id and the number of its status, of what is in it the id alone.

    Twenty thousand rows as they come are half a million objects, and clearing these away holds up every
    thread.
    """
    if "status" not in part:
        return part.get("id")
    kept = {name: part[name] for name in ("id", "status", "username") if name in part}
    status = kept["status"]
    return kept if isinstance(status, (int, str)) else {**kept, "status": None}


def _listing(path: str, per_page: int | None) -> Callable[[EmnifyClient], Listing]:
    return lambda client: client.transport.list(Request("GET", path, pick=_only_status), per_page=per_page)


@dataclass(frozen=True)
class WaitKind:
    """Something that can be waited for.

    :param noun: What its ids are ids of.
    :param states: The enum of its states.
    :param read_one: Reads one id, with the filters of the wait: a row, or what it says.
    :param state_of: The state in a row.
    :param reason_of: Why it is in that state, where emnify says so.
    :param failures: The states from which the target is not reached, unless they are the target.
    :param read_all: Lists all, where the API has a list that says the state; else None.
    :param id_of: The ids of a listed row (a user has two: number and username).
    :param read_many: Reads several ids, with the filters, in another way; nothing of those that take a
        request each.
    :param deleted: The state that means the same as being gone, where there is one.
    :param parse: Makes ids of what a user gave.
    :param parse_filters: Makes plain values of what else says what is waited for; most kinds have no filters.
    """

    noun: str
    states: type[State]
    read_one: Callable[[EmnifyClient, Id, Mapping[str, Any]], Row | Reading]
    state_of: Callable[[Row], Any] = _status_id
    reason_of: Callable[[Row], str] = lambda _row: ""
    failures: tuple[State, ...] = ()
    read_all: Callable[[EmnifyClient], Listing] | None = None
    id_of: Callable[[Row], tuple[Id, ...]] = lambda row: (int(row["id"]),)
    read_many: Callable[[EmnifyClient, Sequence[Id], Mapping[str, Any]], dict[Id, Reading]] | None = None
    deleted: State | None = None
    parse: Callable[[Any, str], Sequence[Id]] = parse_ids
    parse_filters: Callable[[Mapping[str, Any]], dict[str, Any]] = no_filters

    @property
    def one_by_one(self) -> bool:
        """Whether each id takes a request of its own, however many there are."""
        return self.read_all is None and self.read_many is None

    def reading(self, row: Row) -> Reading:
        """Return what a row says of the state. An unknown state is shown as it came, never an error."""
        raw = self.state_of(row)
        reason = self.reason_of(row)
        try:
            state = self.states.parse(raw)
        except ValueError:
            return _the_same(None, "no status" if raw is None else str(raw))
        return _the_same(state.value, f"{state.label}: {reason}" if reason else state.label)

    def read(self, client: EmnifyClient, key: Id, filters: Mapping[str, Any] | None = None) -> Reading:
        """Read one id; what does not exist is ``gone``. A network that knows nothing of it is no state."""
        try:
            found = self.read_one(client, key, filters or {})
            return found if isinstance(found, Reading) else self.reading(found)
        except EmnifyNetworkStateError as unknown:
            return Reading(None, unknown.message)
        except EmnifyNotFoundError:
            return Reading(None if self.deleted is None else self.deleted.value, "gone", gone=True)


def _operation_state(row: Row) -> OperationState:
    ended, error = row.get("finalization_date"), row.get("error")
    if not isinstance(ended, str) or not ended.strip():
        return OperationState.PENDING
    if error and not row.get("total_count"):
        return OperationState.FAILED
    failed = decimal(row, "failed_count") or (len(error) if isinstance(error, list) else bool(error))
    if not failed:
        return OperationState.SUCCEEDED
    is_part = failed < (decimal(row, "total_count") or 0)
    return OperationState.PARTLY_FAILED if is_part else OperationState.FAILED


def _operation_errors(row: Row) -> str:
    error = row.get("error")
    if isinstance(error, dict):
        return f"{error.get('message')} (reason {error.get('reason')})"
    if not isinstance(error, list):
        return str(error or "")
    return ", ".join(f"{item.get('eid')}: {item.get('message')}" for item in parts(row, "error"))


def _read_cloud_connect(client: EmnifyClient, key: Id, _: Any) -> Row:
    found: Any = client.cloud_connect.get(key)
    if isinstance(found, list):  # so the API's own description; one attachment all the same
        found = found[0] if found else {"status": {"id": CloudConnectStatus.DEACTIVATED}}
    return dict(found)


def _read_sim_batch(client: EmnifyClient, key: Id, _: Any) -> Row:
    try:
        batch: Any = client.sim_batches.validate(str(key))
    except EmnifyValidationError as error:
        registered = error.status == 400  # noqa: PLR2004 - a batch that is registered already answers so
        state = SimBatchState.REGISTERED if registered else SimBatchState.INVALID
        return {"state": state, "reason": error.message}
    if not isinstance(batch, dict) or str(batch.get("bic")).strip().casefold() != str(key).casefold():
        raise EmnifyServerError(
            f"The answer to the validation of SIM batch {key} does not name that batch (bic): whether it can "
            "be registered is unknown",
            status=200,
            method="GET",
            path=f"/api/v1/sim_batch/bic/{key}",
        )
    return {"state": SimBatchState.REGISTRABLE}


STATE_WAITS: dict[str, WaitKind] = {
    "endpoint_status": WaitKind(
        noun="endpoint",
        states=EndpointStatus,
        read_one=lambda client, key, _: client.endpoints.get(int(key)),
        read_all=_listing("/api/v1/endpoint", 1000),
        failures=(EndpointStatus.DELETED,),
        deleted=EndpointStatus.DELETED,
    ),
    "endpoint_connectivity": WaitKind(
        noun="endpoint",
        states=Connectivity,
        read_one=lambda client, key, _: client.endpoints.connectivity(int(key)),
        state_of=lambda row: part(row, "status").get("description"),
    ),
    "sim_status": WaitKind(
        noun="SIM",
        states=SimStatus,
        read_one=lambda client, key, _: client.sims.get(int(key)),
        read_all=_listing("/api/v1/sim", 2500),
        failures=(SimStatus.DELETED,),
        deleted=SimStatus.DELETED,
    ),
    "sms_delivery": WaitKind(
        noun="SMS",
        states=SmsStatus,
        read_one=lambda client, key, _: client.sms.get(*str(key).split("/")),
        reason_of=lambda row: str(row.get("gsm_map_error") or ""),
        failures=(SmsStatus.FAILED, SmsStatus.EXPIRED, SmsStatus.CANCELED),
        parse=parse_pairs,
    ),
    "user_status": WaitKind(
        noun="user",
        states=UserStatus,
        read_one=lambda client, key, _: client.users.get(key),
        read_all=_listing("/api/v1/user", None),
        failures=(UserStatus.SUSPENDED,),
        id_of=lambda row: (int(row["id"]), str(row.get("username"))),
        parse=parse_user_ids,
    ),
    "data_quota": WaitKind(
        noun="endpoint",
        states=QuotaStatus,
        read_one=lambda client, key, _: client.quotas.get_data(int(key)),
    ),
    "sms_quota": WaitKind(
        noun="endpoint",
        states=QuotaStatus,
        read_one=lambda client, key, _: client.quotas.get_sms(int(key)),
    ),
    "euicc_operation": WaitKind(
        noun="eUICC operation",
        states=OperationState,
        read_one=lambda client, key, _: client.euiccs.get_operation(*str(key).split("/")),
        state_of=_operation_state,
        reason_of=_operation_errors,
        failures=(OperationState.FAILED,),
        parse=parse_pairs,
    ),
    "sim_operation": WaitKind(
        noun="SIM operation",
        states=OperationState,
        read_one=lambda client, key, _: client.sim_operations.get(str(key)),
        state_of=_operation_state,
        reason_of=_operation_errors,
        failures=(OperationState.FAILED, OperationState.PARTLY_FAILED),
        parse=parse_texts,
    ),
    "data_stream": WaitKind(
        noun="data stream",
        states=DataStreamStatus,
        read_one=lambda client, key, _: client.data_streams.get(str(key)),
        failures=(DataStreamStatus.ERROR,),
        parse=parse_texts,
    ),
    "cloud_connect": WaitKind(
        noun="Cloud Connect attachment",
        states=CloudConnectStatus,
        read_one=_read_cloud_connect,
        failures=(CloudConnectStatus.DEACTIVATED, CloudConnectStatus.ROLLING_BACK),
        deleted=CloudConnectStatus.DEACTIVATED,
        parse=parse_texts,
    ),
    "sim_batch": WaitKind(
        noun="SIM batch",
        states=SimBatchState,
        read_one=_read_sim_batch,
        state_of=lambda row: row["state"],
        reason_of=lambda row: str(row.get("reason") or ""),
        failures=(SimBatchState.REGISTERED, SimBatchState.INVALID),
        parse=parse_texts,
    ),
}
