"""From a request's path to the template of the operation that it means.

Works on the raw, still percent-encoded path, so that an encoded slash in a path parameter stays part of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

Match = tuple[str, dict[str, str]]


class Router:
    """Finds templates by path; a literal segment goes before a parameter.

    :param operations: (method, template) of each operation.
    """

    def __init__(self, operations: Iterable[tuple[str, str]]) -> None:
        self._root: dict[str, Any] = {}
        self._methods: dict[str, set[str]] = {}
        for method, template in operations:
            self._methods.setdefault(template, set()).add(method)
        for template in self._methods:
            node = self._root
            for segment in template.strip("/").split("/"):
                node = node.setdefault("{" if segment.startswith("{") else segment, {})
            node.setdefault("", []).append(template)

    def match(self, method: str, raw_path: str) -> Match | None:
        """Return the template and the decoded path parameters, or None.

        Templates that differ in their parameters' names only are told apart by the method.
        """
        segments = raw_path.strip("/").split("/")
        for templates in self._walk(self._root, segments):
            for template in templates:
                if method in self._methods[template]:
                    return template, self._parameters(template, segments)
        return None

    def knows(self, raw_path: str) -> bool:
        """Tell whether there is an operation at this path, with whatever method."""
        return any(True for _ in self._walk(self._root, raw_path.strip("/").split("/")))

    def _walk(self, node: dict[str, Any], segments: list[str]) -> Iterable[list[str]]:
        if not segments:
            if "" in node:
                yield node[""]
            return
        first, rest = segments[0], segments[1:]
        if first and first in node:
            yield from self._walk(node[first], rest)
        if first and "{" in node:
            yield from self._walk(node["{"], rest)

    @staticmethod
    def _parameters(template: str, segments: list[str]) -> dict[str, str]:
        parts = template.strip("/").split("/")
        return {
            part[1:-1]: unquote(segment)
            for part, segment in zip(parts, segments, strict=True)
            if part.startswith("{")
        }
