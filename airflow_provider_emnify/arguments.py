"""Arguments of tasks: declared once, checked when the DAG is parsed, parsed after their templates are."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from numbers import Number
from typing import Any, Generic, Self, TypeVar, overload

from airflow_provider_emnify.airflow_names import XComArg
from airflow_provider_emnify.api.enums import Lookup
from airflow_provider_emnify.api.errors import one_line
from airflow_provider_emnify.api.secrets.names import secrets_in
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import is_nothing, parse_id, parse_literal
from airflow_provider_emnify.hooks.masking import mask, texts_in

Id = int | str | float | Decimal | Mapping[str, Any]
#: Ids as users, XCom, SQL results and templates give them (:mod:`~airflow_provider_emnify.api.values`).
Ids = Id | Iterable[Id | Iterable[Id]] | XComArg
#: One of them.
OneId = Id | XComArg
#: Rows as users, XCom and templates give them: dicts, one dict, or their text.
GivenRows = Row | Iterable[Row] | str | XComArg

T = TypeVar("T")
Status = TypeVar("Status", bound=Lookup)

_TEMPLATE = re.compile(r"\{\{|\{%|\{#")
_PLAIN = {bool, bytes, float, int, range, type(None)}


NOT_GIVEN: Any = object()
"""What stands for an argument that a task was not given: None is given, and means nothing."""


def is_known(value: Any) -> bool:
    """Tell whether a value is what it will be in ``execute``: no template, and no other task's result."""
    if type(value) in _PLAIN:
        return True
    if isinstance(value, str):
        return "{" not in value or _TEMPLATE.search(value) is None
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(is_known, value))
    if isinstance(value, Mapping):
        return all(map(is_known, value)) and all(map(is_known, value.values()))
    return not any(hasattr(value, name) for name in ("__iter__", "iter_references", "template_fields"))


class Argument(Generic[T]):
    """An argument of a task, declared in its class: ``endpoint_ids = Argument(parse_ids)``.

    What a task is given is checked at once, as far as it is known when the DAG is parsed. The attribute
    holds it as it was given, for Airflow to render and to store. ``execute`` finds it parsed: its wrapper
    calls :meth:`parse_in`.

    :param parse: Returns what a value means, of the value and the argument's name; raises ``ValueError``. It
        takes what it has returned, too.
    :param field: Name of the argument, where Airflow has taken the attribute's name for something else.
    :param default: What the attribute is where a task was given nothing. An argument with a default need not
        be in an ``__init__``, nor one of a class that has none of its own.
    :param templated: Whether it may hold templates: it is one of the class's ``template_fields``, unless the
        class lists these itself.
    """

    def __init__(
        self,
        parse: Callable[[Any, str], T],
        field: str = "",
        *,
        default: Any = NOT_GIVEN,
        templated: bool = True,
    ) -> None:
        self.parse = parse
        self.field = field
        self.default = default
        self.templated = templated

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.field = self.field or name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> T: ...
    def __get__(self, instance: object | None, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = instance.__dict__.get(self.name, self.default)
        if value is NOT_GIVEN:
            raise AttributeError(self.name)
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        if self.name not in instance.__dict__ and (  # later it is Airflow that sets what it has rendered
            is_known(value) or self.name not in instance.template_fields
        ):
            self.parse(value, self.field)
        instance.__dict__[self.name] = value

    def parse_in(self, instance: object) -> None:
        """Parse what a task was given, its templates being rendered.

        :raises ValueError: naming the argument and the value.
        """
        value = instance.__dict__.get(self.name, self.default)
        if value is not NOT_GIVEN:
            instance.__dict__[self.name] = self.parse(value, self.field)


def parse_choice(*allowed: str) -> Callable[[Any, str], str]:
    """Return a parser of one of a few words, for :class:`Argument`."""

    def parse(value: Any, field: str) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise ValueError(f"{field}: {value!r} is not valid; allowed: {', '.join(allowed)}")

    return parse


def matching(pattern: str, what: str) -> Callable[[Any, str], str]:
    """Return a parser of digits and texts that match a regular expression.

    :param what: What they are, and how to give one, for the message.
    """

    def parse_matching(value: Any, field: str) -> str:
        is_one = isinstance(value, (str, Number)) and not isinstance(value, bool)
        text = str(value).strip() if is_one else ""
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(f"{field}: {value!r} is not a valid {what}")
        return text

    return parse_matching


def status_in(*allowed: Status) -> Callable[[Any, str], Status]:
    """Return a parser of one of a few statuses: the enum, its name or its number."""

    def parse_status(value: Any, field: str) -> Status:
        try:
            return allowed[0].parse(value, allowed)
        except ValueError as error:
            raise ValueError(f"{field}: {error}") from None

    return parse_status


def optional(parse: Callable[[Any, str], T]) -> Callable[[Any, str], T | None]:
    """Return a parser of what may be nothing (``None``, ``""``, ``"None"``), which is None then."""

    def parse_if_given(value: Any, field: str) -> T | None:
        return None if is_nothing(value) else parse(value, field)

    return parse_if_given


def parse_text(value: Any, field: str) -> str:
    """Return ``value`` if it is a text that is not empty.

    :raises ValueError: naming the field and the value.
    """
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ValueError(f"{field}: {value!r} is not a valid text; give one that is not empty")


def parse_label(value: Any, field: str) -> str | None:
    """Return a text as it is, a number as its digits, and None.

    :raises ValueError: for anything else.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{field}: {value!r} is not a valid text; give one in quotes")


def parse_id_or_name(value: Any, field: str) -> str:
    """Return an id, in whatever form ids come, or a name as a text.

    :raises ValueError: naming the field and the value, when it is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    try:
        return parse_text(value, field)
    except ValueError as neither:
        try:
            return str(parse_id(value, field))
        except ValueError:
            raise neither from None


def parse_mapping(value: Any, field: str) -> dict[str, Any]:
    """Return values by name, also from the text that a template renders a dict to. Nothing is none of them.

    :raises ValueError: naming the field and the value.
    """
    given = parse_literal(value) if isinstance(value, str) else value
    if is_nothing(given):
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"{field}: {value!r} is not a dict; give values by name")  # noqa: TRY004 - as all bad arguments
    return {str(name): item for name, item in given.items()}


def parse_ip_address(value: Any, field: str) -> str:
    """Return an IP address as a text.

    :raises ValueError: naming the field and the value, when it is none.
    """
    try:
        return str(ipaddress.ip_address(str(value).strip()))
    except ValueError:
        raise ValueError(f"{field}: {value!r} is not a valid IP address; give one like 203.0.113.7") from None


parse_optional_id = optional(parse_id)
"""Return a single id, or None for nothing."""


def parse_amount(value: Any, field: str) -> float:
    """Return a volume, also from what a template renders to.

    :raises ValueError: naming the field and the value, when it is not a number above 0.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"{field}: {value!r} is not a valid number; give one above 0")
    return number


def parse_count(value: Any, field: str) -> int:
    """Return a whole number above 0, also from what a template renders to.

    :raises ValueError: naming the field and the value.
    """
    text = str(value).strip()
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not text.isdecimal() or not int(text):
        raise ValueError(f"{field}: {value!r} is not a valid whole number; give one above 0")
    return int(text)


def parse_seconds(value: float | timedelta, field: str) -> float:
    """Return a length of time in seconds.

    :raises ValueError: naming the field and the value, when it is none.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(
            f"{field}: {value!r} is not a valid number of seconds; give 0 or more, or a timedelta"
        )
    return float(value)


def require_confirmation(what: str) -> Callable[[Any, str], bool]:
    """Return a parser of a ``confirm`` without which nothing is done.

    :param what: What would be done, for the message.
    """

    def parse_confirmation(value: Any, field: str) -> bool:
        if value is not True:
            raise ValueError(f"{field}: {value!r} is not enough: {what} cannot be undone; set confirm=True")
        return True

    return parse_confirmation


def shorten(ids: Sequence[object], most: int = 10) -> str:
    """Return ids as a log line can hold them; ``none`` for none."""
    shown = one_line(", ".join(map(str, ids[:most])))
    return (shown or "none") if len(ids) <= most else f"{shown} and {len(ids) - most} more"


def cut(text: str, most: int = 400) -> str:
    """Return the beginning of a text that is too long for a message."""
    return text if len(text) <= most else f"{text[:most]}..."


def as_given(value: Any, field: str) -> Any:
    """Return the value: for an argument that is checked together with others."""
    return value


class MaskedArgument(Argument[T]):
    """An argument that Airflow masks from the moment its value is known.

    Airflow sets an argument again when its templates are rendered, before it stores what was rendered: what
    is stored then is masked.
    """

    def __set__(self, instance: object, value: Any) -> None:
        for secret in self._secrets(instance, value):
            if is_known(secret):
                mask(secret)
        super().__set__(instance, value)

    def _secrets(self, instance: object, value: Any) -> Iterator[str]:
        yield from (value,) if isinstance(value, str) else ()


class MaskedArguments(MaskedArgument[T]):
    """A dict of arguments of which Airflow masks the secrets, at any depth, once their values are known.

    The owner's ``secret_arguments`` says which are secrets beside those that are known by their names.
    """

    def _secrets(self, instance: object, value: Any) -> Iterator[str]:
        for _, secret in secrets_in(value, getattr(instance, "secret_arguments", ())):
            yield from texts_in(secret)


def refuse_secrets(what: str, value: Any, remedy: str, declared: Collection[str] = ()) -> None:
    """Refuse secrets in what a task is given; the message names their places and quotes none.

    :param what: What the value is.
    :param remedy: What to do instead.
    :param declared: Places that hold secrets whatever they are called.
    :raises ValueError: when there is one.
    """
    places = sorted({place for place, _ in secrets_in(value, declared)})
    if places:
        raise ValueError(
            f"{what}: {', '.join(places)} is a secret, and arguments and results of a task are stored in the "
            f"clear. {remedy}"
        )
