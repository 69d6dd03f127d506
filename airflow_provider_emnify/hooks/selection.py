"""Devices and SIMs by what a user holds: a filter of emnify's list instead of ids, resolved at run time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.airflow_names import BaseOperator
from airflow_provider_emnify.api.enums import Connectivity, EndpointStatus, SimStatus
from airflow_provider_emnify.api.resources.bulk import read_ref, status_of
from airflow_provider_emnify.api.resources.few import FEW, find_in_list, listing_if_cheaper
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.transport.answers import part, parts
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import as_list, parse_bool, parse_iccid, parse_id, unknown_name
from airflow_provider_emnify.api.waits.events import parse_days
from airflow_provider_emnify.api.waits.wait import read
from airflow_provider_emnify.arguments import (
    Argument,
    optional,
    parse_count,
    parse_id_or_name,
    parse_mapping,
    parse_text,
    shorten,
    status_in,
)
from airflow_provider_emnify.hooks.task import EmnifyTask

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EmnifyClient

    Parse = Callable[[Any, str], Any]
    Read = Callable[[Row], Any]
    Selection = dict[str, list[Any]]

log = one_line_log(__name__)

MOST_SELECTED = 10_000
"""Devices or SIMs that one selection may have by default."""

_NOT_SEEN_FOR = "not_seen_for"
_OF_MANY = {"status", "sim_status", "service_profile_id", "tariff_profile_id", "tags", "assigned"}
_ON_THE_NETWORK = {Connectivity.ONLINE.value, Connectivity.ATTACHED.value}


def _tags_of(row: Row) -> list[str]:
    assigned = [str(tag.get("name")) for tag in parts(row, "tag_assignments")]
    return [*assigned, *(tag.strip() for tag in str(row.get("tags") or "").split(","))]


def _in_sim(name: str) -> Read:
    return lambda row: part(row, "sim").get(name)


@dataclass(frozen=True)
class Kind:
    """What can be selected.

    :param name: Its name, for messages.
    :param resource: The client's resource that lists it.
    :param fields: By what it can be selected: how a value is parsed, and what of a row is held against it.
    :param gone: The status of what is listed and there no more.
    """

    name: str
    resource: str
    fields: Mapping[str, tuple[Parse, Read]]
    gone: int


ENDPOINTS = Kind(
    "endpoints",
    "endpoints",
    {
        "id": (parse_id, lambda row: int(row["id"])),
        "name": (parse_id_or_name, lambda row: row.get("name")),
        "status": (status_in(*EndpointStatus), status_of),
        "sim_status": (status_in(*SimStatus), lambda row: status_of(part(row, "sim"))),
        "service_profile_id": (parse_id, lambda row: read_ref(row, "service_profile")),
        "tariff_profile_id": (parse_id, lambda row: read_ref(row, "tariff_profile")),
        "tags": (parse_text, _tags_of),
        "ip_address": (parse_text, lambda row: row.get("ip_address")),
        "imei": (parse_id_or_name, lambda row: row.get("imei")),
        "iccid": (parse_iccid, _in_sim("iccid")),
        "eid": (parse_id_or_name, _in_sim("eid")),
        _NOT_SEEN_FOR: (parse_days, lambda row: None),
    },
    EndpointStatus.DELETED,
)
SIMS = Kind(
    "SIMs",
    "sims",
    {
        "id": (parse_id, lambda row: int(row["id"])),
        "status": (status_in(*SimStatus), status_of),
        "iccid": (parse_iccid, lambda row: row.get("iccid")),
        "imsi": (parse_id_or_name, lambda row: row.get("imsi")),
        "msisdn": (parse_id_or_name, lambda row: row.get("msisdn")),
        "eid": (parse_id_or_name, lambda row: row.get("eid")),
        "endpoint_id": (parse_id, lambda row: read_ref(row, "endpoint")),
        "assigned": (parse_bool, lambda row: read_ref(row, "endpoint") is not None),
    },
    SimStatus.DELETED,
)


EUICCS = Kind(
    "eUICCs",
    "euiccs",
    {
        "id": (parse_id, lambda row: int(row["id"])),
        "eid": (parse_id_or_name, lambda row: row.get("eid")),
    },
    gone=-1,  # their statuses are reserved for later
)


def selection_of(kind: Kind) -> Callable[[Any, str], Selection]:
    """Return a parser of selections: a dict of fields, each with a value or several that will do."""

    def parse_selection(value: Any, field: str) -> Selection:
        given = parse_mapping(value, field)
        unknown = [unknown_name("field", name, kind.fields) for name in given if name not in kind.fields]
        if unknown or not given:
            raise ValueError(
                f"{field}: {', '.join(unknown) or 'nothing'} is not valid for {kind.name}; "
                f"allowed: {', '.join(kind.fields)}"
            )
        return {
            name: _parsed(kind.fields[name][0], wanted, f"{field}: {name}") for name, wanted in given.items()
        }

    return parse_selection


def _parsed(parse: Parse, value: Any, field: str) -> list[Any]:
    """Return the values in a field of a selection, each once; of rows with one column, as of SQL, that."""
    items = (
        item[0] if isinstance(item, (list, tuple)) and len(item) == 1 else item for item in as_list(value)
    )
    return [*dict.fromkeys(parse(item, field) for item in items)]


def select_rows(
    client: EmnifyClient, kind: Kind, selection: Selection, most: int, *, keep: bool
) -> dict[int, Row]:
    """Return what is selected by its id, in ascending order.

    One value of a field is sent as emnify's own filter. Of several each is, or they are found in the list of
    all, whichever takes fewer requests.
    Whatever emnify lists is held against the selection once more.

    :param most: How many they may be.
    :param keep: Whether to keep the rows; else they are empty.
    :raises ValueError: when they are more.
    """
    if not all(selection.values()):
        return {}  # of no values none will do
    days = selection.get(_NOT_SEEN_FOR)
    rows = _listed(client, kind, {name: values for name, values in selection.items() if values is not days})
    if days:
        from airflow_provider_emnify.api.streams.last_seen import not_seen

        rows = not_seen(client, rows, min(days))
    found: dict[int, Row] = {}
    for row in rows:
        found[int(row["id"])] = row if keep else {}
        if len(found) > most:
            raise ValueError(
                f"max_selected: more than {most:,} {kind.name} are selected; nothing was done. "
                "Select fewer, or set max_selected"
            )
    return dict(sorted((_without_those_on_the_network(client, found) if days else found).items()))


def _listed(client: EmnifyClient, kind: Kind, selection: Selection) -> Iterator[Row]:
    resource = getattr(client, kind.resource)
    sent = {name: values[0] for name, values in selection.items() if _can_be_sent(name, values, 1)}
    several = {
        name: values
        for name, values in selection.items()
        if name not in sent and _can_be_sent(name, values, FEW if name in _OF_MANY else len(values))
    }
    by = min(several, key=lambda name: (name in _OF_MANY, len(several[name])), default=None)
    listing = None if by is None else listing_if_cheaper(several[by], partial(resource.list, **sent))
    if listing is not None or by is None:
        listings = iter([listing or resource.list(**sent)])
    else:
        listings = (resource.list(**sent, **{by: value}) for value in several[by])
    for one in listings:
        with one as rows:
            yield from (row for row in rows if _is_meant(row, kind, selection))


def _without_those_on_the_network(client: EmnifyClient, found: Mapping[int, Row]) -> dict[int, Row]:
    """Return the endpoints that are not on the network now: a long session has no events."""
    now = read(client, "endpoint_connectivity", [*found])
    left = {
        key: row for key, row in found.items() if not now[key].gone and now[key].value not in _ON_THE_NETWORK
    }
    log.info(
        "%s: %d endpoints had no event; %d of these are on the network now, or gone",
        *(_NOT_SEEN_FOR, len(found), len(found) - len(left)),
    )
    return left


def _can_be_sent(name: str, values: Sequence[Any], most: int) -> bool:
    """Tell whether values can stand in emnify's own filters."""
    if name == "assigned" and any(values):
        return False  # emnify knows only its opposite
    return len(values) <= most and not any("," in str(value) for value in values)


def _is_meant(row: Row, kind: Kind, selection: Selection) -> bool:
    if status_of(row) == kind.gone and "status" not in selection:
        return False
    for name, wanted in selection.items():
        there = kind.fields[name][1](row)
        if not any(value in wanted for value in (there if isinstance(there, list) else [there])):
            return False
    return True


def sims_by_iccid(client: EmnifyClient, iccids: Sequence[str]) -> dict[str, Row]:
    """Return the SIMs of those ICCIDs that there are, in the fewest requests.

    :param iccids: Without their check digits.
    """
    listed = find_in_list(iccids, list_all=client.sims.list, ids_of=lambda row: (str(row.get("iccid")),))
    if listed is not None:
        return dict(listed)
    return {iccid: row for iccid in iccids for row in client.sims.list(iccid=iccid)}


class SelectsEndpoints(EmnifyTask, BaseOperator):
    """Base of tasks that act on endpoints, which can be selected by a filter instead of by ids.

    :param select: A filter of emnify's list of endpoints (templated), instead of ids: a dict of ``id``,
        ``name``, ``status``, ``sim_status``, ``service_profile_id``, ``tariff_profile_id``, ``tags``,
        ``ip_address``, ``imei``, ``iccid`` (with or without check digit) and ``eid``, each with a value or a
        list of those that will do: ``{"tags": "pump", "status": "enabled"}``; and ``not_seen_for``, a number
        of days, at most 30: by the events of these, and not on the network now. It is resolved when the task
        runs.
    :param max_selected: The most that may be selected (default 10,000); more are an error.
    :param fail_if_empty: Fail when nothing is selected (default False: there is nothing to do then).
    """

    selects: ClassVar[str] = "endpoint_ids"
    selected_kind: ClassVar[Kind] = ENDPOINTS
    #: Whether the rows of what is selected are needed, in ``selected_rows``: then nothing lists them again.
    keeps_rows: ClassVar[bool] = False
    selected_rows: Mapping[int, Row] | None = None

    select = Argument(optional(selection_of(ENDPOINTS)), default=None)
    max_selected = Argument(parse_count, default=MOST_SELECTED, templated=False)
    fail_if_empty = Argument(parse_bool, default=False, templated=False)

    def check_arguments(self) -> None:
        """Check that either ids or a selection are given, where ids have no other way to be left out."""
        super().check_arguments()
        is_either, selects = self.declared[self.selects].default is None, self.select is not None
        has_ids = self.selects in vars(self) and not (selects and vars(self)[self.selects] is None)
        if is_either and has_ids == selects:
            raise ValueError(f"{self.selects}, select: give one of them")

    def resolve(self) -> None:
        """Put the ids of what is selected in their place. Called once the arguments are parsed."""
        self.selected_rows = None
        if self.select is None:
            if self.fail_if_empty and not getattr(self, self.selects):
                raise ValueError(f"select: it is empty, and so is {self.selects}")
            return
        kind, selection, keep = self.selected_kind, self.select, self.keeps_rows
        rows = select_rows(self.client, kind, selection, self.max_selected, keep=keep)
        ids, self.selected_rows = [*rows], rows if keep else None
        shown = ", ".join(f"{name} {shorten(values, FEW)}" for name, values in selection.items())
        self.log.info("Selected %d %s by %s: %s", len(ids), kind.name, shown, shorten(ids))
        if not ids and self.fail_if_empty:
            raise ValueError(f"select: there are no {kind.name} with {shown}")
        self.__dict__[self.selects] = ids


class SelectsSims(SelectsEndpoints):
    """Base of tasks that act on SIMs, which can be selected by a filter instead of by ids.

    :param select: A filter of emnify's list of SIMs (templated), instead of ids: a dict of ``id``,
        ``status``, ``iccid`` (with or without check digit), ``imsi``, ``msisdn``, ``eid``, ``endpoint_id``
        and ``assigned`` (whether an endpoint has it), each with a value or a list of those that will do:
        ``{"status": "activated", "assigned": False}``. It is resolved when the task runs.
    :param max_selected: The most that may be selected (default 10,000); more are an error.
    :param fail_if_empty: Fail when nothing is selected (default False: there is nothing to do then).
    """

    selects = "sim_ids"
    selected_kind = SIMS

    select = Argument(optional(selection_of(SIMS)), default=None)


class SelectsEuiccs(SelectsEndpoints):
    """Base of tasks that act on eUICCs, which can be selected by a filter instead of by ids.

    :param select: A filter of emnify's list of eUICCs (templated), instead of ids: a dict of ``id`` and
        ``eid``, each with a value or a list of those that will do. It is resolved when the task runs.
    :param max_selected: The most that may be selected (default 10,000); more are an error.
    :param fail_if_empty: Fail when nothing is selected (default False: there is nothing to do then).
    """

    selects = "euicc_ids"
    selected_kind = EUICCS

    select = Argument(optional(selection_of(EUICCS)), default=None)
