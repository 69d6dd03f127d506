"""Checks of request bodies: the fields of an object as a table, the findings as emnify words them."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider_emnify.sandbox.http.answers import finding, invalid, wrong
from airflow_provider_emnify.sandbox.world.clock import parse_date

Findings = Iterator[dict[str, Any]]
_Check = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    :param kind: What is expected, as it stands in the message.
    :param check: Tells whether a value is of that kind.
    :param required: The field must be there (creations only).
    :param nullable: ``null`` is taken.
    :param fields: The fields of an object.
    :param items: The field that each item of an array must be.
    """

    kind: str
    check: _Check
    required: bool = False
    nullable: bool = False
    fields: Mapping[str, Field] | None = None
    items: Field | None = None


def _is_integer(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


ANYTHING = Field("anything", lambda _: True)


def text(*, required: bool = False, nullable: bool = False, longest: int = 255, shortest: int = 0) -> Field:
    """A string."""
    return Field(
        f"String of {shortest} to {longest} characters" if shortest else "String",
        lambda value: isinstance(value, str) and shortest <= len(value) <= longest,
        required,
        nullable,
    )


def pattern(kind: str, regex: str, *, required: bool = False, nullable: bool = False) -> Field:
    """A string of a certain form."""
    form = re.compile(regex)
    return Field(
        kind, lambda value: isinstance(value, str) and form.fullmatch(value) is not None, required, nullable
    )


integer = partial(Field, "Number", _is_integer)
"""A whole number."""


def number(
    *, required: bool = False, least: float = -math.inf, most: float = math.inf, kind: str = "Number"
) -> Field:
    """A finite number within bounds."""

    def check(value: Any) -> bool:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and least <= value <= most and abs(value) < math.inf

    return Field(kind, check, required)


def code(*codes: int, required: bool = False) -> Field:
    """An object whose ``id`` is one of some numbers, which may come as a string."""
    kind = f"one of {', '.join(map(str, codes))}"
    known = {*codes, *map(str, codes)}
    identity = Field(
        kind,
        lambda value: not isinstance(value, (bool, list, dict)) and value in known,
        required=True,
    )
    return record({"id": identity}, required=required)


def one_of(*allowed: int | str, required: bool = False, nullable: bool = False) -> Field:
    """One of some values."""
    return Field(
        f"one of {', '.join(map(str, allowed))}",
        lambda value: isinstance(value, (int, str)) and not isinstance(value, bool) and value in allowed,
        required,
        nullable,
    )


moment = partial(Field, "a date", lambda value: parse_date(value) is not None)
"""A date with time."""

address = partial(Field, "an IP address", lambda value: parses(ipaddress.ip_address, value))
"""An IP address."""

address_range = partial(
    Field, "an address range in CIDR notation", lambda value: parses(ipaddress.ip_network, value)
)
"""A range of IP addresses."""

boolean = partial(Field, "Boolean", lambda value: isinstance(value, bool))
"""True or false."""


def parses(parse: Callable[[str], object], value: Any) -> bool:
    """Tell whether a value is a text that a function takes without a ``ValueError``."""
    try:
        return isinstance(value, str) and parse(value) is not None
    except ValueError:
        return False


def reference(*, required: bool = False, **further: Field) -> Field:
    """An object with an ``id``, and maybe more."""
    return record({"id": integer(required=True), **further}, required=required)


def link() -> Field:
    """A reference that ``null`` takes away, as a whole or as its id."""
    return record({"id": integer(nullable=True)}, nullable=True)


def record(fields: Mapping[str, Field], *, required: bool = False, nullable: bool = False) -> Field:
    """An object."""
    return Field("Object", lambda value: isinstance(value, dict), required, nullable, fields=fields)


def array(items: Field, *, required: bool = False) -> Field:
    """An array."""
    return Field("Array", lambda value: isinstance(value, list), required, items=items)


def validate(
    body: Any,
    fields: Mapping[str, Field],
    resource: str,
    *,
    partial: bool = False,
    status: int | None = None,
) -> None:
    """Check an object against its fields; fields that are not in the table are let through.

    :param resource: Name of the resource, for the messages.
    :param partial: An update: nothing is required at the top.
    :param status: Answer this, where it is not 422.
    :raises ApiError: 422 with every finding.
    """
    findings = list(_object(body, fields, resource, partial=partial))
    if findings:
        raise invalid(*findings, status=status)


def validate_items(
    items: list[Any], fields: Mapping[str, Field], resource: str, *, status: int | None = None
) -> None:
    """Check each object of an array, as :func:`validate` does one."""
    findings = [
        found
        for number, item in enumerate(items)
        for found in _value(item, record(fields), f"{resource}[{number}]")
    ]
    if findings:
        raise invalid(*findings, status=status)


def check_count(items: list[Any], most: int | None = None) -> None:
    """Answer 422 unless there are items, and no more than ``most``."""
    if not items or (most is not None and len(items) > most):
        raise wrong(f"Expecting 1 to {most or 'any number of'} items, not {len(items)}.")


def _object(
    body: Mapping[str, Any], fields: Mapping[str, Field], name: str, *, partial: bool = False
) -> Findings:
    for key, field in fields.items():
        if key in body:
            yield from _value(body[key], field, f"{name} - {key}")
        elif field.required and not partial:
            yield finding("Required", f"{name} - {key} is required.")


def _value(value: Any, field: Field, name: str) -> Findings:
    if value is None and field.nullable:
        return
    if value is None and field.required:
        yield finding("Required", f"{name} is required.")
    elif not field.check(value):
        yield finding("InvalidFormat", f"{name} has invalid format: expecting {field.kind}.")
    elif field.fields is not None:
        yield from _object(value, field.fields, name)
    elif field.items is not None:
        for number, item in enumerate(value):
            yield from _value(item, field.items, f"{name}[{number}]")
