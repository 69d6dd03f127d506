"""Devices as rows: how a source says that they shall be, and how emnify shows them. Nothing here calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from sys import intern
from typing import Any

from airflow_provider_emnify.api.enums import EndpointStatus, SimStatus
from airflow_provider_emnify.api.errors import EmnifyServerError
from airflow_provider_emnify.api.resources.bulk import read_ref, read_status
from airflow_provider_emnify.api.transport.answers import part, parts
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import parse_bool, parse_iccid, parse_id, unknown_name
from airflow_provider_emnify.arguments import matching, parse_ip_address, parse_label, parse_text, status_in
from airflow_provider_emnify.operators.tag import parse_tags

KEYS = ("iccid", "imei", "id", "name")
"""The columns by which devices can be known."""

IMEI_DIGITS = 14
"""The digits of an IMEI that tell devices apart; a check digit or a software version follows."""

_PROFILES = ("service_profile", "tariff_profile")

Names = Mapping[str, tuple[int, ...]]
"""The ids of what has a name: of one profile, one id."""


State = dict[str, Any]
"""Fields with their values, as the source of a plan has them."""


@dataclass(slots=True)
class Wanted:
    """How a device shall be, or a row that cannot be carried out.

    :param row: Which row of the source says so, from 1.
    :param key: By what the device is known; None where a refused row does not say it.
    :param values: What shall be, by field; what is not in it stays as it is.
    :param is_due: Its ``sim_status`` comes from a date that has come.
    :param is_scheduled: It has a date that is still to come.
    :param endpoint_id: The endpoint that it means, once it is found.
    :param device: The device, where it is to get a SIM.
    :param reason: What is wrong with the row; None for one that can be carried out.
    """

    row: int
    key: str | None
    values: State
    is_due: bool = False
    is_scheduled: bool = False
    endpoint_id: int | None = None
    device: Device | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Meaning:
    """What rows are read with.

    :param key: The column by which devices are known.
    :param today: The day on which dates are due.
    :param names_of: Returns the names that there are of ``service_profile``, ``tariff_profile`` or ``tags``;
        asked where rows name some.
    """

    key: str
    today: date
    names_of: Callable[[str], Names]

    def read(self, row: Mapping[str, Any], number: int) -> Wanted:
        """Return what a row means.

        :param number: Which row of the source it is.
        """
        wanted = Wanted(number, None, {})
        try:
            if is_nothing(row.get(self.key)):
                raise ValueError(f"{self.key}: it has none")
            wanted.key = key_of(self.key, COLUMNS[self.key](row[self.key], self.key))
            given = ((name, value) for name, value in row.items() if not is_nothing(value))
            wanted.values = {name: COLUMNS[name](value, name) for name, value in given}
            self._resolve(wanted.values)
            self._schedule(wanted)
        except ValueError as error:
            wanted.reason = str(error)
        return wanted

    def _resolve(self, values: dict[str, Any]) -> None:
        """Put ids in the place of the names of profiles, and look for tags."""
        for kind in _PROFILES:
            name, given = values.pop(kind, None), values.get(f"{kind}_id")
            if name is not None:
                ids = self.names_of(kind).get(name, ())
                if len(ids) != 1:
                    raise ValueError(f"{kind}: {'several are' if ids else 'none is'} named {name!r}")
                if values.setdefault(f"{kind}_id", ids[0]) != ids[0]:
                    raise ValueError(f"{kind}: {name!r} is {ids[0]}, not {given}")
            elif given is not None and all(given not in ids for ids in self.names_of(kind).values()):
                raise ValueError(f"{kind}_id: there is no {given}")
        tags = values.get("tags", ())
        missing = [name for name in tags if name not in self.names_of("tags")]
        if missing:
            raise ValueError(f"tags: there is no tag {', '.join(map(repr, missing))}")

    def _schedule(self, wanted: Wanted) -> None:
        """Put the status in its place whose date has come last."""
        columns = (("activate_on", "activated"), ("suspend_on", "suspended"))
        dates = [(wanted.values.pop(name), status) for name, status in columns if name in wanted.values]
        if len({day for day, _ in dates}) < len(dates):
            raise ValueError("activate_on, suspend_on: they are the same day")
        due = [(day, status) for day, status in dates if day <= self.today]
        wanted.is_scheduled = len(due) < len(dates)
        if due:
            wanted.is_due, wanted.values["sim_status"] = True, max(due)[1]


@dataclass(slots=True)
class Device:
    """An endpoint with its SIM.

    :param id: Id of the endpoint.
    :param sim_id: Id of its SIM.
    :param state: Its fields.
    """

    id: int
    sim_id: int | None
    state: State

    @classmethod
    def of(cls, row: Row) -> Device:
        """Return the device that emnify's row shows.

        :raises EmnifyServerError: when it does not say that; another attempt may get another answer.
        """
        sim, sim_id = part(row, "sim"), read_ref(row, "sim")
        refs = ("ip_address_space", "service_profile", "tariff_profile")
        return cls(
            int(row["id"]),
            sim_id,
            {
                "id": int(row["id"]),
                "name": _text(row, "name"),
                "status": read_status(EndpointStatus, row).name.lower(),
                "iccid": None if sim_id is None else _text(sim, "iccid"),
                "sim_status": None if sim_id is None else sim_status_of(sim),
                "imei": _text(row, "imei"),
                "imei_lock": bool(row.get("imei_lock")),
                "ip_address": _text(row, "ip_address"),
                **{f"{name}_id": read_ref(row, name) for name in refs},
                "tags": tuple(
                    sorted(intern(str(_text(tag, "name"))) for tag in parts(row, "tag_assignments"))
                ),
            },
        )

    def key(self, column: str) -> str | None:
        """Return by what the device is known in a source; None for one that has nothing there."""
        value = self.state[column]
        return None if value is None else key_of(column, value)


def sim_status_of(row: Row) -> str:
    """Return the status of a SIM, as sources write it."""
    return read_status(SimStatus, row).name.lower()


def is_so(field: str, state: Mapping[str, Any], wanted: Any) -> bool:
    """Tell whether a field has a value already."""
    there = state.get(field)
    if field == "imei" and there is not None and wanted is not None:
        return bool(there[:IMEI_DIGITS] == wanted[:IMEI_DIGITS])
    return bool(there == wanted)


def _text(row: Row, name: str) -> str | None:
    try:
        return parse_label(row.get(name), name)
    except ValueError:
        raise EmnifyServerError(f"the {name} of {row.get('id')} is unusable: {row.get(name)!r}") from None


def key_of(column: str, value: Any) -> str:
    """Return by what a device is known, of its value in the key's column."""
    return value[:IMEI_DIGITS] if column == "imei" else str(value)


def is_nothing(value: Any) -> bool:
    """Tell whether a cell says nothing: it is null, empty, or not a number."""
    if hasattr(value, "__len__"):  # arrays cannot be compared
        return isinstance(value, str) and not value.strip()
    try:
        return value is None or bool(value != value)  # noqa: PLR0124 - NaN
    except TypeError:  # pandas' NA: nobody knows
        return True


def _named(*allowed: EndpointStatus | SimStatus) -> Callable[[Any, str], str]:
    """Return a parser of some statuses, which gives their names as sources write them."""
    parse = status_in(*allowed)
    return lambda value, name: parse(value, name).name.lower()


def _flag(value: Any, name: str) -> bool:
    """Return a yes or no; databases without a type of their own have 1 and 0."""
    is_number = isinstance(value, (int, float, Decimal)) and value in {0, 1}
    return parse_bool(str(int(value)) if is_number else value, name)


def _tags(value: Any, name: str) -> tuple[str, ...]:
    return tuple(sorted(parse_tags(value, name)))


def _day(value: Any, name: str) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(str(value).strip()).date()
    except ValueError:
        raise ValueError(f"{name}: {value!r} is not a valid date; give 2030-12-31") from None


COLUMNS: dict[str, Callable[[Any, str], Any]] = {
    "iccid": parse_iccid,
    "imei": matching(r"\d{14,16}", "IMEI; give 14 to 16 digits, as a text"),
    "id": parse_id,
    "name": parse_text,
    "status": _named(EndpointStatus.ENABLED, EndpointStatus.DISABLED),
    "sim_status": _named(*(status for status in SimStatus if status is not SimStatus.DELETED)),
    "service_profile": parse_text,
    "service_profile_id": parse_id,
    "tariff_profile": parse_text,
    "tariff_profile_id": parse_id,
    "tags": _tags,
    "imei_lock": _flag,
    "ip_address": parse_ip_address,
    "ip_address_space_id": parse_id,
    "activate_on": _day,
    "suspend_on": _day,
}
"""The columns that a source can have, and how a value of each is read."""


def check_columns(names: Any, key: str | None) -> None:
    """Refuse a source with a column that is none, or without the key's.

    :param key: The key's column; None where a row may lack it.
    :raises ValueError: naming them, and what is allowed.
    """
    unknown = sorted({str(name) for name in names} - COLUMNS.keys())
    if unknown:
        said = ", ".join(unknown_name("column", name, COLUMNS) for name in unknown)
        raise ValueError(f"{said}; allowed: {', '.join(COLUMNS)}")
    if len({*names}) < len(names):
        raise ValueError(f"a column is there twice: {', '.join(map(str, names))}")
    if key is not None and key not in names:
        raise ValueError(f"there is no column {key!r}, by which devices are known; key= names another one")
