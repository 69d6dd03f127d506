"""emnify's own description of the API, where it is at hand: what a request must look like."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jsonschema
import yaml

FILE = Path(__file__).parents[4] / "shared" / "emnify" / "openapi.yml"
METHODS = ("get", "post", "put", "patch", "delete")


@functools.cache
def spec() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    described: dict[str, Any] = yaml.load(FILE.read_text(encoding="utf-8"), Loader=loader)
    return described


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): item[method]
        for path, item in spec()["paths"].items()
        for method in METHODS
        if method in item
    }


def parameters(operation: dict[str, Any], place: str) -> dict[str, dict[str, Any]]:
    """The parameters of an operation by name, in ``path`` or ``query``."""
    return {one["name"]: one for one in operation.get("parameters", ()) if one["in"] == place}


def body_schema(operation: dict[str, Any]) -> dict[str, Any] | None:
    if "requestBody" not in operation:
        return None
    return resolved(operation["requestBody"]["content"]["application/json"]["schema"])


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = spec()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def complaints(schema: dict[str, Any], body: Any, *, partial: bool) -> list[str]:
    """What is wrong with a body. Of a partial one (PATCH) nothing is required."""
    if partial:
        schema = {key: value for key, value in schema.items() if key != "required"}
    validator = jsonschema.Draft202012Validator({**schema, "components": spec()["components"]})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]


def unknown_fields(schema: dict[str, Any], body: Any, where: str = "") -> list[str]:
    """The fields of a body that the description does not have."""
    schema = resolved(schema)
    if isinstance(body, list):
        items = schema.get("items", {})
        return [name for item in body for name in unknown_fields(items, item, where)]
    known = schema.get("properties")
    if not isinstance(body, dict) or not known:
        return []
    found = []
    for name, value in body.items():
        inner = f"{where}.{name}".lstrip(".")
        found += unknown_fields(known[name], value, inner) if name in known else [inner]
    return found
