"""What ``api_facts.json`` says of the API, as an OpenAPI document; ``dev/api_facts.py`` writes that file."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

FACTS = Path(__file__).with_name("api_facts.json")
_JSON = "application/json"


@functools.cache
def document() -> dict[str, Any]:
    """Return the facts as an OpenAPI document without references. It is shared: do not change it."""
    return expand(json.loads(FACTS.read_text(encoding="utf-8")))


def expand(facts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return facts by ``"METHOD /path"`` as an OpenAPI document."""
    paths: dict[str, Any] = {}
    for name, said in facts.items():
        method, _, path = name.partition(" ")
        operation: dict[str, Any] = {
            "operationId": said["page"],
            "parameters": [
                {
                    "name": parameter.removesuffix("!"),
                    "in": place,
                    "required": place == "path" or parameter.endswith("!"),
                    "schema": _schema(kind),
                }
                for place in ("path", "query")
                for parameter, kind in said.get(place, {}).items()
            ],
            "responses": {
                status: {"description": "", "content": {_JSON: {"schema": _schema(kind)}}}
                for status, kind in said["answers"].items()
            },
        }
        if "body" in said:
            operation["requestBody"] = {"content": {_JSON: {"schema": _schema(said["body"])}}}
        paths.setdefault(path, {})[method.lower()] = operation
    return {"openapi": "3.1.0", "info": {"title": "emnify", "version": "1"}, "paths": paths}


def _schema(kind: Any) -> dict[str, Any]:
    if isinstance(kind, list):
        return {"type": "array", "items": _schema(kind[0])}
    if isinstance(kind, str):
        name, _, form = kind.partition(":")
        types = name.split("|")
        schema: dict[str, Any] = {} if name == "any" else {"type": types if len(types) > 1 else name}
        return {**schema, "format": form} if form else schema
    if "$one_of" in kind:
        return {"oneOf": [_schema(one) for one in kind["$one_of"]]}
    if "$values" in kind:
        return {"type": "string", "enum": kind["$values"]}
    if "$each" in kind:
        return {"type": "object", "additionalProperties": _schema(kind["$each"])}
    return {
        "type": "object",
        "properties": {name.removesuffix("!"): _schema(below) for name, below in kind.items()},
        "required": [name[:-1] for name in kind if name.endswith("!")],
    }
