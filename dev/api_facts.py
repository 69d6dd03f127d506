"""Derive the table of facts that the tests hold requests and answers against, ``tests/api_facts.json``.

    python -m dev.api_facts OPENAPI             write it anew from emnify's OpenAPI
    python -m dev.api_facts --check [OPENAPI]   fail when it is not what the OpenAPI gives

emnify's OpenAPI is no part of this project. What the tests need of it is: for each operation its page in the
vendor's documentation, its path and query parameters, the fields of its body, and those of its answers, with
their types. Types are written so:

``"integer"``, ``"string:date"``, ``"number|null"``, ``"any"``
    a type, with its format or the alternatives
``{"id!": T, "name": T}``
    an object; ``!`` marks what is required
``[T]``
    a list of T
``{"$one_of": [T, T]}``, ``{"$values": ["1", "2"]}``, ``{"$each": T}``
    one of several types; one of a few texts; an object with any names
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
FACTS = ROOT / "tests" / "api_facts.json"
BESIDE = ROOT.parent / "shared" / "emnify" / "openapi.yml"

_JSON = "application/json"
_FORMATS = {"date", "date-time", "uuid"}  # the others say nothing that a value could break


def derive(openapi: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the facts of an OpenAPI by ``"METHOD /path"``."""
    schemas = openapi.get("components", {}).get("schemas", {})
    return {
        f"{method.upper()} {path}": _operation(operation, schemas)
        for path, item in sorted(openapi["paths"].items())
        for method, operation in sorted(item.items())
    }


def _operation(operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    section = re.sub(r"(?=[A-Z])", "-", operation["tags"][0].removeprefix("subpackage_")).lower()
    facts: dict[str, Any] = {"page": f"{section}/{operation['operationId']}"}
    for place in ("path", "query"):
        parameters = [one for one in operation.get("parameters", ()) if one["in"] == place]
        if parameters:
            facts[place] = {
                one["name"] + ("!" if place == "query" and one.get("required") else ""): _type(
                    one["schema"], schemas
                )
                for one in parameters
            }
    if "requestBody" in operation:
        facts["body"] = _type(operation["requestBody"]["content"][_JSON]["schema"], schemas)
    facts["answers"] = {
        str(status): _type(answer.get("content", {}).get(_JSON, {}).get("schema", {}), schemas)
        for status, answer in operation["responses"].items()
    }
    return facts


def _type(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "oneOf" in schema:
        return {"$one_of": [_type(one, schemas) for one in schema["oneOf"]]}
    if "enum" in schema:
        return {"$values": sorted(schema["enum"])}
    if "items" in schema:
        return [_type(schema["items"], schemas)]
    if "additionalProperties" in schema:
        return {"$each": _type(schema["additionalProperties"], schemas)}
    if schema.get("properties"):
        required = set(schema.get("required", ()))
        return {
            name + "!" * (name in required): _type(below, schemas)
            for name, below in schema["properties"].items()
        }
    kind = schema.get("type", "any")
    text = kind if isinstance(kind, str) else "|".join(kind)
    return f"{text}:{schema['format']}" if schema.get("format") in _FORMATS else text


def render(facts: dict[str, dict[str, Any]]) -> str:
    """Return the facts as JSON, a line an operation."""
    lines = (f"{json.dumps(name)}: {json.dumps(said, separators=(',', ':'))}" for name, said in facts.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> int:
    """Write or check the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("openapi", nargs="?", type=Path, default=os.environ.get("EMNIFY_OPENAPI", BESIDE))
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when the table is not current"
    )
    arguments = parser.parse_args()
    path = Path(arguments.openapi)
    if not path.is_file():
        print(f"{path}: emnify's OpenAPI is not here, so {FACTS.name} is used as it is")
        return 0 if arguments.check else 1
    text = render(derive(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)))
    if not arguments.check:
        FACTS.write_text(text, encoding="utf-8")
    elif text != FACTS.read_text(encoding="utf-8"):
        print(f"{FACTS.name} differs from what {path} gives. Write it anew: python -m dev.api_facts {path}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
