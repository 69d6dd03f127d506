"""How arguments become fields of a request: what was given, references, points in time, filters."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any, Final

from airflow_provider_emnify.api.enums import Lookup
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import is_list, is_scalar, parse_id, parse_ids, parse_moment


class Unset(Enum):
    """The type of :data:`UNSET`."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset.UNSET
"""Default of an argument for which None means something: what is UNSET is not sent, None is sent as null."""


def given(**fields: Any) -> Row:
    """Keep the fields that were given: neither None nor UNSET."""
    return {name: value for name, value in fields.items() if value is not None and value is not UNSET}


def ref(value: Any, field: str) -> Any:
    """Return ``{"id": value}``, None for what was not given.

    :param field: Name of the argument, for the message.
    :raises ValueError: if the value is not one id.
    """
    return None if value is None else {"id": parse_id(value, field)}


def refs(values: Any, field: str) -> Rows | None:
    """Return ``[{"id": value}, ...]``, None for what was not given."""
    return None if values is None else [{"id": value} for value in parse_ids(values, field)]


def as_rows(values: Any, field: str) -> Rows:
    """Return a list of objects as dicts, which may be changed.

    :param field: Name of the argument, for the message, which quotes no value: it may be a secret.
    :raises ValueError: if it is not one.
    """
    try:
        return [dict(value) for value in values]
    except (TypeError, ValueError):
        raise ValueError(f"{field}: this is not a list of objects") from None


def as_fields(
    arguments: Mapping[str, Any], parse: Mapping[str, Callable[[Any], Any]], nullable: Collection[str] = ()
) -> Row:
    """Return the fields of a body that arguments stand for; what is UNSET or None is left out.

    ``sim_id`` is the ``sim`` with that id, ``sim_ids`` are the ``sims`` with those, and a status is sent by
    its id; everything else is sent as it is.

    :param parse: Parses the value of an argument, by its name.
    :param nullable: The arguments that are sent when they are None.
    """
    return dict(
        _as_field(name, value, parse.get(name))
        for name, value in arguments.items()
        if value is not UNSET and (value is not None or name in nullable)
    )


def as_query(arguments: Mapping[str, Any], parse: Mapping[str, Callable[[Any], Any]]) -> Row:
    """Return the query, or the terms of a filter, that arguments stand for; what is None is left out.

    ``sim_id`` is ``sim``, and several ids are separated by commas.

    :param parse: Parses the value of an argument, by its name.
    """
    terms: Row = {}
    for name, value in arguments.items():
        if name.endswith("_ids"):
            terms[name] = ",".join(map(str, parse_ids(value, name))) or None
        elif value is not None:
            terms[name.removesuffix("_id")] = parse[name](value) if name in parse else value
    return terms


def _as_field(name: str, value: Any, parse: Callable[[Any], Any] | None) -> tuple[str, Any]:
    if name.endswith("_ids"):
        return f"{name[:-4]}s", refs(value, name)
    if name.endswith("_id"):
        found = None if value is None else parse_id(value, name) if parse is None else parse(value)
        return name[:-3], {"id": found}
    parsed = value if parse is None else parse(value)
    if isinstance(parsed, float) and not math.isfinite(parsed):
        raise ValueError(f"{name}: {parsed!r} is not a valid number")
    return name, {"id": int(parsed)} if isinstance(parsed, Lookup) else parsed


def as_json(value: Any) -> Any:
    """Return objects as dicts, lists of any type as lists, and NumPy's numbers as Python's."""
    if is_scalar(value):
        return value.item()
    if isinstance(value, Mapping):
        return {key: as_json(one) for key, one in value.items()}
    return [as_json(one) for one in value] if is_list(value) else value


def as_text(value: Any, field: str, example: str) -> str | None:
    """Return a text, None for what was not given.

    :param field: Name of the argument, for the message, which shows the example.
    :raises ValueError: for anything else.
    """
    if not isinstance(value, str | None):
        raise ValueError(f"{field}: {value!r} is not a text; give one like '{example}'")  # noqa: TRY004 - as all bad arguments
    return value


MOST_VALUES = 6
"""As many values as emnify takes for one filter, where it takes several."""


def filters(q: str | None = None, *, several: Collection[str] = (), **fields: Any) -> str | None:
    """Return the ``q`` of a list: ``field:value,field:value``, None when nothing filters.

    :param q: Filters as the caller wrote them; those of ``fields`` are added.
    :param several: Fields that may have up to six values, given as a list.
    :param fields: A value for each field. A trailing underscore in a name is dropped (``from_``).
    :raises ValueError: for a value that a filter cannot express.
    """
    terms = [text] if (text := as_text(q, "q", "field:value,field:value")) else []
    for keyword, value in fields.items():
        name = keyword.rstrip("_")
        values = [*value] if is_list(value) else None
        if values is not None and name not in several:
            raise ValueError(f"{name}: emnify filters by one value here, not by {values!r}")
        if values is not None and not 1 <= len(values) <= MOST_VALUES:
            raise ValueError(f"{name}: emnify takes one to {MOST_VALUES} values, not {len(values)}")
        texts = (_filter_text(name, one, separator=name in several) for one in values or [value])
        terms.append(f"{name}:{'|'.join(texts)}")
    return ",".join(terms) or None


def _filter_text(name: str, value: Any, *, separator: bool) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, datetime):
        return parse_moment(value, name)
    if isinstance(value, date):
        return value.isoformat()
    text = str(int(value)) if isinstance(value, int) else str(value).strip()
    if not text:
        raise ValueError(f"{name}: an empty value cannot be filtered by")
    if "," in text or (separator and "|" in text):
        raise ValueError(
            f"{name}: {value!r} holds a separator of emnify's filters; give single values, as a list"
        )
    return text
