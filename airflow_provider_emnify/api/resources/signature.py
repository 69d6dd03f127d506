"""What the signature of a resource's method says of its arguments: where each goes, and how it is written."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from airflow_provider_emnify.api.enums import Lookup
from airflow_provider_emnify.api.resources.fields import UNSET, as_fields, as_query, filters
from airflow_provider_emnify.api.types import Row, TextId, Written
from airflow_provider_emnify.api.values import is_nothing, parse_bool, parse_literal, parse_texts

_PAGING = ("q", "sort", "per_page")


class Signature:
    """The signature of a method that stands for a REST operation.

    A name in the path is an argument's, or else stands for the first argument that the path does not name. An
    argument is written as its type says (``SimStatus``, ``Moment``, ``Day``, ``TextId``); a filter that may
    be a ``Sequence`` takes up to six values.

    :param function: The method, with or without ``call``.
    :param path: The path template of its operation.
    """

    def __init__(self, function: Callable[..., Any], path: str) -> None:
        whole, hints = inspect.signature(function), get_type_hints(function, include_extras=True)
        self.returns = hints["return"]
        self.takes_call = "call" in whole.parameters
        visible = [parameter for name, parameter in whole.parameters.items() if name != "call"]
        #: As callers see it.
        self.visible = whole.replace(parameters=visible)
        self.parameters = {parameter.name: parameter for parameter in visible[1:]}
        names = re.findall(r"\{(\w+)\}", path)
        others = (name for name in self.parameters if name not in names)
        #: The argument for each name in the path.
        self.in_path = {name: name if name in self.parameters else next(others) for name in names}
        #: The arguments by keyword, but for what the path takes and the paging.
        self.keywords = [
            name
            for name, parameter in self.parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY and name not in {*self.in_path.values(), *_PAGING}
        ]
        self.nullable = {name for name, one in self.parameters.items() if one.default is UNSET}
        self._kinds = {name: _members(hints[name]) for name in self.parameters}
        parsers = ((name, _parser(name, kinds)) for name, kinds in self._kinds.items())
        self._parsers = {name: parse for name, parse in parsers if parse is not None}
        #: The arguments that may be a text in the path, where the others are numbers.
        self.texts = {name for name, kinds in self._kinds.items() if TextId in kinds or str in kinds}
        #: The arguments that are true or false.
        self.flags = [name for name, kinds in self._kinds.items() if kinds[0] is bool]
        self._several = {
            name.removesuffix("_id")
            for name, kinds in self._kinds.items()
            if any(get_origin(kind) is Sequence for kind in kinds)
        }

    def query(self, arguments: Mapping[str, Any]) -> Row:
        """Return the keywords among arguments as a query, see :func:`as_query`."""
        return as_query(self._keywords_in(arguments), self._parsers)

    def filters(self, arguments: Mapping[str, Any]) -> str | None:
        """Return them as the ``q`` of a list, with what the argument ``q`` holds.

        :raises ValueError: for a value that a filter cannot have, and one end of a time range without the
            other.
        """
        terms = self.query(arguments)
        if ("from_" in terms) != ("until" in terms):
            raise ValueError("from_ and until: emnify takes them only together")
        return filters(arguments.get("q"), several=self._several, **terms)

    def fields(self, arguments: Mapping[str, Any], parse: Mapping[str, Callable[[Any], Any]]) -> Row:
        """Return them as fields of a body, see :func:`as_fields`.

        :param parse: Parses the value of a keyword of whose type not all is said.
        """
        return as_fields(self._keywords_in(arguments), {**self._parsers, **parse}, self.nullable)

    def parse_texts(self, arguments: Mapping[str, Any], field: str) -> dict[str, Any]:
        """Parse the texts that templates render to, where the method takes none: ``"False"`` is not true.

        Statuses and dates are only checked; ids, and what else may be a text, are left to the method itself.

        :param field: What the arguments are called, for the message.
        :raises ValueError: for a text that is nothing of what the method takes, a status or a date that is
            none.
        """
        parsed = dict(arguments)
        for name, value in arguments.items():
            kinds = [kind for kind in self._kinds[name] if kind is not NoneType]
            parse = _OF_TEXT.get(kinds[0]) if len(kinds) == 1 else None
            if parse is not None and isinstance(value, str):
                is_none = NoneType in self._kinds[name] and is_nothing(value)
                parsed[name] = None if is_none else parse(value, f"{field}: {name}")
            elif name in self._parsers and value is not None and value is not UNSET:
                try:
                    self._parsers[name](value)
                except ValueError as error:
                    raise ValueError(f"{field}: {error}") from None
        return parsed

    def _keywords_in(self, arguments: Mapping[str, Any]) -> Row:
        return {name: arguments[name] for name in self.keywords if name in arguments}


def _members(hint: Any) -> tuple[Any, ...]:
    """Return the types that a union is of, or the one type."""
    return get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)


def _parser(name: str, kinds: tuple[Any, ...]) -> Callable[[Any], Any] | None:
    """Return what parses an argument of these types; None where it is sent as it is, or is an id."""
    for kind in kinds:
        if get_origin(kind) is Literal and {*kinds} <= {kind, NoneType}:
            return partial(_one_of, name, get_args(kind))
        if get_origin(kind) is Annotated:
            parse = next(extra.parse for extra in kind.__metadata__ if isinstance(extra, Written))
            return parse and partial(parse, field=name)
        if isinstance(kind, type) and issubclass(kind, Lookup):
            return kind.parse
    return None


def _one_of(name: str, allowed: tuple[Any, ...], value: Any) -> Any:
    if value not in allowed:
        raise ValueError(f"{name}: {value!r} is not valid; allowed: {', '.join(map(str, allowed))}")
    return value


def _number(what: str, *kinds: type[int] | type[float]) -> Callable[[Any, str], Any]:
    """Return a parser of texts that are a number of one of these types."""

    def parse(value: Any, field: str) -> Any:
        for kind in kinds:
            with suppress(ValueError, OverflowError):
                if math.isfinite(number := kind(value)):
                    return number
        raise ValueError(f"{field}: {value!r} is not a valid {what}")

    return parse


def _literal(kind: type) -> Callable[[Any, str], Any]:
    """Return a parser of texts in JSON or Python. They may hold secrets: none is quoted."""

    def parse(value: Any, field: str) -> Any:
        found = parse_literal(value)
        if not isinstance(found, kind):
            raise ValueError(f"{field}: this text is not a {kind.__name__}; give one in JSON")  # noqa: TRY004 - as all bad arguments
        return found

    return parse


_OF_TEXT: Mapping[Any, Callable[[Any, str], Any]] = {
    bool: parse_bool,
    Literal[False]: parse_bool,
    int: _number("whole number", int),
    float: _number("number", int, float),
    Mapping[str, Any]: _literal(dict),
    Sequence[Mapping[str, Any]]: _literal(list),
    Sequence[str]: parse_texts,
}
"""How texts are parsed for the type of an argument."""
