"""As much of GraphQL as a query of one's own account takes: selection sets, aliases, arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

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


def select(value: Any, selections: list[Selection], kind: str) -> Any:
    """Return what is asked for of a value: an object, a list of them, or None.

    :param kind: Name of its type, for the message.
    """
    if isinstance(value, list):
        return [select(part, selections, kind) for part in value]
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
            chosen[selection.alias] = select(value[selection.name], selection.selections, inner)
    return chosen


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
        tokens.skip_arguments()
        inner = _selections(tokens, depth + 1) if tokens.peek() == "{" else []
        selections.append(Selection(name, alias, inner))
    tokens.take()
    if not selections:
        raise GraphqlError("Syntax Error: Expected Name, found '}'.")
    return selections


def _name(tokens: _Tokens) -> str:
    token = tokens.take()
    if not _NAME.fullmatch(token):
        raise GraphqlError(f'Syntax Error: Expected Name, found "{token}".')
    return token
