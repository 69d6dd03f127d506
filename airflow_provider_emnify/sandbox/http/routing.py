"""From a request's path to the template of the operation that it means.

Works on the raw, still percent-encoded path, so that an encoded slash in a path parameter stays part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

Match = tuple[str, dict[str, str]]


class Router:
    """Finds templates by path; a literal segment goes before a parameter.

    :param operations: (method, template) of each operation.
    """

    def __init__(self, operations: Iterable[tuple[str, str]]) -> None:
        self._operations = frozenset(operations)
        self._patterns: dict[int, dict[str, re.Pattern[str]]] = {}
        """The templates by their number of slashes, with what a path of each looks like."""
        # In this order a brace comes after all letters, so that literals are tried first.
        for template in sorted({template for _, template in self._operations}):
            pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template.strip("/")))
            self._patterns.setdefault(template.count("/"), {})[template] = pattern

    def match(self, method: str, raw_path: str) -> Match | None:
        """Return the template and the decoded path parameters, or None.

        Templates that differ in their parameters' names only are told apart by the method.
        """
        for template, values in self._matches(raw_path):
            if (method, template) in self._operations:
                return template, {name: unquote(value) for name, value in values.items()}
        return None

    def knows(self, raw_path: str) -> bool:
        """Tell whether there is an operation at this path, with whatever method."""
        return any(True for _ in self._matches(raw_path))

    def _matches(self, raw_path: str) -> Iterator[Match]:
        path = raw_path.strip("/")
        for template, pattern in self._patterns.get(path.count("/") + 1, {}).items():
            if (match := pattern.fullmatch(path)) is not None:
                yield template, match.groupdict()
