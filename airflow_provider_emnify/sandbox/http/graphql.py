"""As much of GraphQL as a query of one's own account takes: selection sets, aliases, arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(
    r'[\s,\ufeff]+|\#[^\n]*|(?P<token>\.\.\.|"(?:\\.|[^"\\\n])*"|[{}()\[\]:!=|@$&]'
    r"|[_A-Za-z][_0-9A-Za-z]*|-?[0-9][0-9.eE+-]*)"
)
_NAME = re.compile(r"[_A-Za-z]\w*")
_DEEPEST = 30


class GraphqlError(Exception):
    """What is wrong with a query."""


@dataclass(slots=True)
class Selection:
    """A field that is asked for."""

    name: str
    alias: str
    selections: list[Selection] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)


def parse(query: str) -> list[Selection]:
    """Return what a query asks for at its top.

    :raises GraphqlError: if it is no query, or one with fragments.
    """
    tokens = _Tokens(query)
    if tokens.peek() != "{":
        kind = tokens.take()
        if kind != "query":
            raise GraphqlError(f"Cannot run '{kind}': the sandbox answers queries only.")
        if _NAME.fullmatch(tokens.peek()):
            tokens.take()
        tokens.skip_arguments()
    selections = _selections(tokens, 0)
    if tokens.peek():
        raise GraphqlError(f'Syntax Error: Unexpected "{tokens.peek()}".')
    return selections


def select(value: Any, selections: list[Selection], kind: str, variables: Mapping[str, Any]) -> Any:
    """Return what is asked for of a value: an object, a list of them, or None.

    :param kind: Name of its type, for the message.
    :param variables: Values of the query's variables. A field that takes arguments is a function of them.
    """
    if isinstance(value, list):
        return [select(part, selections, kind, variables) for part in value]
    if not isinstance(value, dict):
        if selections and value is not None:
            raise GraphqlError(f"Field of type '{kind}' must not have a selection of subfields.")
        return value
    if not selections:
        raise GraphqlError(f"Field of type '{kind}' must have a selection of subfields.")
    chosen = {}
    for selection in selections:
        if selection.name == "__typename":
            chosen[selection.alias] = kind
        elif selection.name not in value:
            raise GraphqlError(f"Cannot query field '{selection.name}' on type '{kind}'.")
        else:
            inner = selection.name[:1].upper() + selection.name[1:]
            found = value[selection.name]
            if callable(found):
                found = found(_values(selection.arguments, variables))
            chosen[selection.alias] = select(found, selection.selections, inner, variables)
    return chosen


def _values(arguments: Mapping[str, str], variables: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, said in arguments.items():
        if said.startswith("$"):
            values[name] = variables.get(said[1:])
        else:
            values[name] = int(said) if said.isdecimal() else said
    return values


class _Tokens:
    def __init__(self, query: str) -> None:
        self._tokens: list[str] = []
        position = 0
        while position < len(query):
            match = _TOKEN.match(query, position)
            if match is None:
                raise GraphqlError(f"Syntax Error: Unexpected character {query[position]!r}.")
            if match["token"]:
                self._tokens.append(match["token"])
            position = match.end()
        self._next = 0

    def peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise GraphqlError("Syntax Error: Unexpected <EOF>.")
        self._next += 1
        return token

    def arguments(self) -> dict[str, str]:
        """Take the arguments that stand here; of a value in brackets, only that it is there."""
        found: dict[str, str] = {}
        if self.peek() != "(":
            return found
        self.take()
        while self.peek() != ")":
            name = _name(self)
            if self.take() != ":":
                raise GraphqlError(f"Syntax Error: Expected ':' after \"{name}\".")
            value = self.take()
            depth = 1 if value in {"{", "["} else 0
            while depth:
                depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(self.take(), 0)
            found[name] = f"${self.take()}" if value == "$" else value
        self.take()
        return found

    def skip_arguments(self) -> None:
        """Skip what stands in brackets here."""
        if self.peek() != "(":
            return
        depth = 0
        while True:
            depth += {"(": 1, ")": -1}.get(self.take(), 0)
            if depth == 0:
                return


def _selections(tokens: _Tokens, depth: int) -> list[Selection]:
    if tokens.take() != "{":
        raise GraphqlError("Syntax Error: Expected '{'.")
    if depth > _DEEPEST:
        raise GraphqlError("The query is too deep.")
    selections = []
    while tokens.peek() != "}":
        alias = name = _name(tokens)
        if tokens.peek() == ":":
            tokens.take()
            name = _name(tokens)
        arguments = tokens.arguments()
        inner = _selections(tokens, depth + 1) if tokens.peek() == "{" else []
        selections.append(Selection(name, alias, inner, arguments))
    tokens.take()
    if not selections:
        raise GraphqlError("Syntax Error: Expected Name, found '}'.")
    return selections


def _name(tokens: _Tokens) -> str:
    token = tokens.take()
    if not _NAME.fullmatch(token):
        raise GraphqlError(f'Syntax Error: Expected Name, found "{token}".')
    return token
