"""Which events are meant: by type, severity, source, endpoint and tags.

What emnify can filter by itself is asked of it; every row is looked at all the same, in whichever of its
recorded forms it comes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from functools import cache, cached_property
from typing import Any

from airflow_provider_emnify.api.enums import EventSeverity, EventSource, EventType
from airflow_provider_emnify.api.resources.fields import MOST_VALUES
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.transport.answers import moment_in, part
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import as_list, is_nothing, parse_ids
from airflow_provider_emnify.api.waits.kinds import parse_states

log = one_line_log(__name__)


LATE_BY = timedelta(hours=1)
"""How long after it happened an event may show up. Whoever reads events again reads as far back as this:
that costs pages, an event that is missed cannot be had again. What was read before is known by its id."""

_PARTS = ("event_type", "event_severity", "event_source", "endpoint", "sim")


@dataclass(frozen=True)
class EventFilter:
    """Which events are meant. An empty field lets every event pass; of several values, one will do.

    :param event_type: Numbers or names of event types, as ``client.events.types()`` lists them.
    :param severity: Severities.
    :param source: Sources.
    :param endpoint_ids: Ids of endpoints.
    :param tags: Tags of the endpoint.
    """

    event_type: tuple[int | str, ...] = ()
    severity: tuple[EventSeverity, ...] = ()
    source: tuple[EventSource, ...] = ()
    endpoint_ids: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(_plain(kind) for kind in self.event_type if isinstance(kind, str))

    @classmethod
    def make(cls, **fields: Any) -> EventFilter:
        """Make a filter of what a user gave: one value or several, enums, names or numbers.

        :raises ValueError: naming the field, for a value that makes no sense.
        """
        if unknown := set(fields) - set(FIELDS):
            raise ValueError(f"{', '.join(sorted(unknown))}: events are not filtered by that")
        return cls(**{name: parse(fields.get(name), name) for name, parse in FIELDS.items()})

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the filter as plain values, of which :meth:`make` makes it again."""
        return {
            name: [int(item) if isinstance(item, (EventSeverity, EventSource)) else item for item in value]
            for name in FIELDS
            if (value := getattr(self, name))
        }

    def query(self) -> Mapping[str, Any]:
        """Return what emnify can filter by itself, as arguments of ``client.events.list``."""
        query: Row = {}
        if self.event_type and not self._words and len(self.event_type) <= MOST_VALUES:
            query["type"] = list(self.event_type)
        for name in ("severity", "source"):
            if len(value := getattr(self, name)) == 1:
                query[name] = value[0]
        return query

    def matches(self, row: Row) -> bool:
        """Tell whether an event is meant."""
        if self.event_type:
            number, word = number_of(row.get("event_type")), _word(row.get("event_type"))
            if number not in self.event_type and _plain(word) not in self._words:
                return False
        if self.endpoint_ids and endpoint_id_of(row) not in self.endpoint_ids:
            return False
        if self.tags and not set(self.tags) & _tags_of(row):
            return False
        return all(
            _is_one_of(row.get(f"event_{name}"), getattr(self, name)) for name in ("severity", "source")
        )


def valid_events(rows: Iterable[Any]) -> Iterator[Row]:
    """Yield the events with an id, a time and parts of the documented types; log how many have not."""
    invalid = 0
    try:
        for row in rows:
            if _is_valid(row):
                yield row
            else:
                invalid += 1
    finally:
        if invalid:
            log.warning(
                "%d events were left out: no id, no timestamp, or fields of another type than documented",
                invalid,
            )


def _is_valid(row: Any) -> bool:
    if not isinstance(row, dict) or number_of(row) is None or not event_time(row):
        return False
    if not all(row.get(name) is None or isinstance(row[name], dict) for name in _PARTS):
        return False
    tags = part(row, "endpoint").get("tags")
    return tags is None or isinstance(tags, (str, list))


def event_time(row: Row) -> float:
    """Return when an event happened, in seconds since 1970; 0 where it does not say so."""
    moment = moment_in(row, "timestamp")
    return 0.0 if moment is None else moment.timestamp()


def endpoint_id_of(row: Row) -> int | None:
    """Return the id of the endpoint that an event is about, if it is about one."""
    return number_of(row.get("endpoint"))


def number_of(part: Any) -> int | None:
    """Return the id in a part of a row, which emnify may write as a text or with a decimal point."""
    try:
        return int(part["id"])
    except (TypeError, KeyError, ValueError, OverflowError):
        return None


def _word(part: Any) -> str:
    return str(part.get("description") or part.get("name") or "") if isinstance(part, dict) else ""


def _plain(word: str) -> str:
    return " ".join(word.replace("_", " ").replace("-", " ").lower().split())


def _tags_of(row: Row) -> set[str]:
    tags = part(row, "endpoint").get("tags") or ()
    several = tags.split(",") if isinstance(tags, str) else tags
    return {str(tag.get("name") if isinstance(tag, dict) else tag).strip() for tag in several}


def _is_one_of(part: Any, wanted: tuple[EventSeverity | EventSource, ...]) -> bool:
    if not wanted:
        return True
    number = number_of(part)
    try:
        return wanted[0].parse(_word(part) if number is None else number) in wanted
    except ValueError:
        return False


def _several(value: Any) -> list[Any]:
    return [] if is_nothing(value) else as_list(value)


def _event_type(value: Any, field: str) -> int | str:
    text = str(value).strip() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not text or text.startswith("-"):
        raise ValueError(f"{field}: {value!r} is neither the number nor the name of an event type")
    kind = int(text) if text.isdecimal() else text
    if kind not in tuple(EventType) and _plain(text) not in _event_names():
        _warn_unknown(text, field)
    return kind


@cache
def _event_names() -> dict[str, EventType]:
    return {_plain(kind.label): kind for kind in EventType}


def _warn_unknown(name: str, field: str) -> None:
    """Warn of an event type that is not known here; emnify may have it all the same."""
    near = [_event_names()[one] for one in get_close_matches(_plain(name), _event_names(), n=1)]
    remedy = f"did you mean {near[0].label!r} ({near[0].value})? " if near else ""
    warnings.warn(
        f"{field}: {name!r} is not a known event type; {remedy}client.events.types() lists emnify's",
        stacklevel=2,
    )


def _tags(value: Any, field: str) -> tuple[str, ...]:
    tags = [item.strip() if isinstance(item, str) else "" for item in _several(value)]
    if not all(tags):
        raise ValueError(f"{field}: {value!r} is not a valid tag; give a text, or a list of these")
    return tuple(tags)


FIELDS: dict[str, Callable[[Any, str], tuple[Any, ...]]] = {
    "event_type": lambda value, field: tuple(_event_type(item, field) for item in _several(value)),
    "severity": lambda value, field: parse_states(EventSeverity, _several(value), field),
    "source": lambda value, field: parse_states(EventSource, _several(value), field),
    "endpoint_ids": lambda value, field: tuple(parse_ids(value, field)),
    "tags": _tags,
}
"""What events are filtered by, and how each is parsed: one value or several, enums, names or numbers."""
