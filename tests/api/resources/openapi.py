"""What emnify's OpenAPI says a request must look like."""

from __future__ import annotations

from typing import Any

import jsonschema

from tests.api_facts import document


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, item in document()["paths"].items()
        for method, operation in item.items()
    }


def parameters(operation: dict[str, Any], place: str) -> dict[str, dict[str, Any]]:
    """The parameters of an operation by name, in ``path`` or ``query``."""
    return {one["name"]: one for one in operation["parameters"] if one["in"] == place}


def body_schema(operation: dict[str, Any]) -> dict[str, Any] | None:
    if "requestBody" not in operation:
        return None
    schema: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
    return schema


def complaints(schema: dict[str, Any], body: Any, *, partial: bool) -> list[str]:
    """What is wrong with a body. Of a partial one (PATCH) nothing is required."""
    if partial:
        schema = {key: value for key, value in schema.items() if key != "required"}
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]


def unknown_fields(schema: dict[str, Any], body: Any, where: str = "") -> list[str]:
    """The fields of a body that the description does not have."""
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
