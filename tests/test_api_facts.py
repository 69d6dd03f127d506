"""The table of facts is what the script derives from an OpenAPI, and says what is needed of it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dev import api_facts
from tests.api_facts import FACTS, document, expand

if TYPE_CHECKING:
    from pathlib import Path

TABLE: dict[str, dict[str, Any]] = json.loads(FACTS.read_text())

THING = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"], "title": "A thing"}
OPENAPI = {
    "paths": {
        "/thing/{id}": {
            "patch": {
                "tags": ["subpackage_someThings"],
                "operationId": "PatchThing",
                "description": "Prose.",
                "parameters": [
                    {
                        "name": "id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string", "format": "uuid"},
                    },
                    {"name": "page", "in": "query", "required": False, "schema": {"type": "integer"}},
                    {
                        "name": "kind",
                        "in": "query",
                        "required": True,
                        "schema": {"type": "string", "enum": ["b", "a"]},
                    },
                    {"name": "Authorization", "in": "header", "required": True, "schema": {"type": "string"}},
                ],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
                },
                "responses": {
                    200: {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "oneOf": [
                                        {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                                        {"type": ["number", "null"], "format": "double"},
                                        {"type": "object", "additionalProperties": {"type": "boolean"}},
                                        {"type": "object", "properties": {}},
                                        {},
                                    ]
                                }
                            }
                        }
                    },
                    204: {"description": "Done."},
                },
            }
        }
    },
    "components": {"schemas": {"Thing": THING}},
}


def test_what_is_derived_says_all_but_prose() -> None:
    assert api_facts.derive(OPENAPI) == {
        "PATCH /thing/{id}": {
            "page": "some-things/PatchThing",
            "path": {"id": "string:uuid"},
            "query": {"page": "integer", "kind!": {"$values": ["a", "b"]}},
            "body": {"id!": "integer"},
            "answers": {
                "200": {
                    "$one_of": [[{"id!": "integer"}], "number|null", {"$each": "boolean"}, "object", "any"]
                },
                "204": "any",
            },
        }
    }


def test_nothing_of_the_table_is_lost_in_the_document_that_is_made_of_it() -> None:
    for name, operation in api_facts.derive(with_tags(document())).items():
        assert operation["answers"] == TABLE[name]["answers"]
        for part in ("path", "query", "body"):
            assert operation.get(part) == TABLE[name].get(part)


def with_tags(openapi: dict[str, Any]) -> dict[str, Any]:
    paths = {
        path: {method: {**operation, "tags": [""]} for method, operation in item.items()}
        for path, item in openapi["paths"].items()
    }
    return {"paths": paths}


def test_the_table_has_each_operation_and_no_prose() -> None:
    assert len(TABLE) == 214
    assert {part for operation in TABLE.values() for part in operation} == {
        "page",
        "path",
        "query",
        "body",
        "answers",
    }
    assert "description" not in str(list(expand(TABLE)["paths"]["/api/v1/endpoint"]["get"]["parameters"]))
    assert all(line.count(" ") <= 2 for line in FACTS.read_text().splitlines())  # a name and types


@pytest.mark.parametrize(("current", "code"), [(True, 0), (False, 1)])
def test_a_table_that_is_not_current_is_reported(
    current: bool,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    openapi, facts = tmp_path / "openapi.yml", tmp_path / "api_facts.json"
    openapi.write_text(yaml.safe_dump(OPENAPI))
    monkeypatch.setattr(api_facts, "FACTS", facts)
    monkeypatch.setattr(sys, "argv", ["api_facts", str(openapi)])
    assert api_facts.main() == 0
    if not current:
        facts.write_text(facts.read_text().replace("integer", "string"))
    monkeypatch.setattr(sys, "argv", ["api_facts", "--check", str(openapi)])
    assert api_facts.main() == code
    assert ("Write it anew" in capsys.readouterr().out) is not current


def test_without_the_openapi_the_table_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["api_facts", "--check", str(tmp_path / "nowhere.yml")])
    assert api_facts.main() == 0
    assert "is used as it is" in capsys.readouterr().out
