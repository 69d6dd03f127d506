"""Holds what goes over the wire against what emnify's OpenAPI says, as :mod:`tests.api_facts` has it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jsonschema.exceptions import ValidationError

ROOT = Path(__file__).resolve().parent.parent
GRAPHQL = ("POST", "/graphql")


@dataclass(frozen=True)
class Exemption:
    """A finding that is none.

    :param method: Regular expression for the method.
    :param template: Regular expression for the whole path template.
    :param where: Regular expression for the whole place in the body, ``sim/id`` for example.
    :param what: Regular expression for the message.
    :param reason: Why the OpenAPI is not to be followed.
    """

    method: str
    template: str
    where: str
    what: str
    reason: str

    def covers(self, method: str, template: str, where: str, what: str) -> bool:
        """Tell whether this finding is meant."""
        return all(
            re.fullmatch(pattern, text, re.DOTALL)
            for pattern, text in (
                (self.method, method),
                (self.template, template),
                (self.where, where),
                (self.what, what),
            )
        )


REQUEST_EXEMPTIONS = (
    Exemption(
        "PATCH",
        r".*",
        r"",
        r".* is a required property",
        "the file marks every field of an update required, and calls the fields optional in its descriptions",
    ),
    Exemption(
        "POST",
        r"/api/v1/user",
        r"",
        r"'(organisation|roles)' is a required property",
        "the description calls them optional",
    ),
    Exemption(
        "PATCH",
        r"/api/v1/endpoint/\{endpoint_id\}",
        r"sim",
        r"'(id|status)' is a required property",
        "an update names what changes: the SIM, or its status",
    ),
    Exemption(
        "PATCH",
        r"/api/v./endpoint/(multi|\{endpoint_id\})",
        r"(\d+/)?sim/id",
        r"None is not of type .*",
        "null takes the SIM out of the endpoint, by the description",
    ),
    Exemption(
        r".*",
        r"/api/v1/user/\{user_id\}.*",
        r"path user_id",
        r".* is no number",
        "the descriptions take a username or 'my' too",
    ),
    Exemption(
        r"POST|PATCH",
        r"/api/v2/data_stream(/\{data_stream_id\})?",
        r"filters/.*",
        r".*",
        "the documentation of streams has groups ('or') and values that are no lists of text",
    ),
    Exemption(
        "POST",
        r"/api/v1/automation",
        r"actionable_event",
        r"'(custom|system)_event' is a required property",
        "an automation has one event, of either kind",
    ),
    Exemption(
        "POST",
        r"/api/v1/tariff_profile",
        r"",
        r"'description' is a required property",
        "the description calls it optional",
    ),
    Exemption(
        "GET",
        r"/api/v1/sim/\{sim_id\}/stats/daily",
        r"query (start|end)_date",
        r"is no parameter of this operation",
        "the description has them",
    ),
)
"""What requests may do although the file forbids it."""

RESPONSE_EXEMPTIONS = (
    Exemption(
        r".*",
        r"/api/v./endpoint.*",
        r"(\d+/)?(tags|imei|imei_with_luhn|sim)",
        r"None is not of type .*",
        "recorded answers have null there",
    ),
    Exemption(
        "POST",
        r"/api/v2/endpoint/multi",
        r"\d+/imei_with_luhn",
        r".* is not of type 'object'",
        "a string everywhere else, and in its description",
    ),
    Exemption(
        "GET",
        r"/api/v2/data_stream",
        r"",
        r".* is not of type 'object'",
        "a list, by the name and the description; the file has one of its rows",
    ),
    Exemption(
        r".*",
        r"/api/v1/automation.*",
        r"(\d+/)?actionable_event",
        r"'(custom|system)_event' is a required property",
        "an automation has one event, of either kind",
    ),
    Exemption(
        "GET",
        r"/api/v2/tariff_profile/\{tariff_profile_id\}/operator_blocklist/operator",
        r"",
        r".* is not of type 'object'",
        "all operators, by the description; the file has one of them",
    ),
    Exemption(
        "GET",
        r"/api/v1/tariff_profile.*",
        r"(\d+/)?tariff/currency/id",
        r".* is not of type 'object'",
        "a number everywhere else",
    ),
    Exemption(
        "GET",
        r"/api/v2/workspace/stats/daily",
        r"",
        r".* is not of type 'object'",
        "all Workspaces, by the description; the file has one of them",
    ),
    Exemption(
        "GET",
        r"/api/v1/organisation/\{org_id_or_my\}/stats/hourly",
        r"(data|sms)/(rx|tx)/\d+",
        r".* is not of type 'string'",
        "recorded rows are arrays of hour and volume",
    ),
)
"""What answers may do although the file forbids it."""


class OpenApi:
    """The operations of emnify's OpenAPI.

    :param document: The OpenAPI, or what is known of it, without references.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._validators: dict[tuple[str, bool], Draft202012Validator] = {}

    @cached_property
    def operations(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The operations by (method, path template)."""
        return {
            (method.upper(), template): operation
            for template, item in self.document["paths"].items()
            for method, operation in item.items()
        }

    # -- requests -------------------------------------------------------------------------------------

    def request_violations(
        self,
        method: str,
        template: str | None,
        path: str,
        query: Mapping[str, str],
        body: Any,
    ) -> list[str]:
        """Return what is wrong with a request.

        :param template: Path template, as the sandbox has found it.
        :param path: The path, percent-encoded.
        :param query: The query parameters.
        :param body: The parsed body; None: none was sent.
        """
        if (method, template) == GRAPHQL:
            return []  # not in the file
        operation = self.operations.get((method, template or ""))
        if operation is None or template is None:
            return [f"{method} {path}: there is no such operation"]
        found = [
            *self._parameter_findings(operation, template, path, query),
            *self._body_findings(operation, method, template, body),
        ]
        return [
            f"{method} {template}: {where}: {what}" if where else f"{method} {template}: {what}"
            for where, what in found
            if not _exempt(REQUEST_EXEMPTIONS, method, template, where, what)
        ]

    def _parameter_findings(
        self, operation: dict[str, Any], template: str, path: str, query: Mapping[str, str]
    ) -> Iterator[tuple[str, str]]:
        parameters = {
            (parameter["in"], parameter["name"]): parameter for parameter in operation["parameters"]
        }
        names = template.strip("/").split("/")
        values = path.strip("/").split("/")
        given = {
            ("path", name[1:-1]): value
            for name, value in zip(names, values, strict=False)
            if name.startswith("{")
        } | {("query", name): value for name, value in query.items()}
        for key, value in given.items():
            where = " ".join(key)
            if key not in parameters:
                yield where, "is no parameter of this operation"
            else:
                yield from self._value_findings(where, value, parameters[key]["schema"])
        for key, parameter in parameters.items():
            if parameter["required"] and key not in given:
                yield " ".join(key), "is required"

    def _value_findings(self, where: str, value: str, schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
        kind = schema.get("type")
        forms = {"integer": r"-?\d+", "number": r"-?\d+(\.\d+)?", "boolean": r"true|false"}
        if kind in forms and not re.fullmatch(forms[kind], value):
            yield where, f"{value!r} is no {'number' if kind == 'integer' else kind}"
        if "enum" in schema and value not in map(str, schema["enum"]):
            yield where, f"{value!r} is none of {schema['enum']}"

    def _body_findings(
        self, operation: dict[str, Any], method: str, template: str, body: Any
    ) -> Iterator[tuple[str, str]]:
        described = operation.get("requestBody")
        if described is None:
            if body is not None:
                yield "", "this operation takes no body"
        elif body is None:
            if described["content"][_JSON]["schema"].get("required"):
                yield "", "a body is required"
        else:
            pointer = (
                f"/paths/{_escape(template)}/{method.lower()}/requestBody/content/{_escape(_JSON)}/schema"
            )
            yield from self._schema_findings(pointer, body, closed=True)

    # -- responses ------------------------------------------------------------------------------------

    def response_violations(self, method: str, template: str, status: int, content: bytes) -> list[str]:
        """Return what is wrong with an answer."""
        responses = self.operations[method, template]["responses"]
        described = responses.get(str(status))
        if described is None:
            return (
                [] if status >= 400 else [f"{method} {template}: answers {status}, not {sorted(responses)}"]
            )
        schema = described.get("content", {}).get(_JSON, {}).get("schema")
        if schema is None or not content:
            empty = schema is None or not schema.get("properties")
            return (
                [] if empty or status >= 400 or status == 201 else [f"{method} {template}: {status} is empty"]
            )
        pointer = (
            f"/paths/{_escape(template)}/{method.lower()}/responses/{status}/content/{_escape(_JSON)}/schema"
        )
        return [
            f"{method} {template}: {status}: {where}: {what}"
            for where, what in self._schema_findings(pointer, json.loads(content), closed=False)
            if not _exempt(RESPONSE_EXEMPTIONS, method, template, where, what)
        ]

    # -- schemas --------------------------------------------------------------------------------------

    def _schema_findings(self, pointer: str, value: Any, *, closed: bool) -> Iterator[tuple[str, str]]:
        key = (pointer, closed)
        if key not in self._validators:
            registry = self._closed if closed else self._open
            self._validators[key] = Draft202012Validator({"$ref": f"{_URI}#{pointer}"}, registry=registry)
        for error in _leaves(self._validators[key].iter_errors(value)):
            yield "/".join(map(str, error.absolute_path)), error.message

    @cached_property
    def _closed(self) -> Registry[Any]:
        return _registry(_plain(self.document, closed=True))

    @cached_property
    def _open(self) -> Registry[Any]:
        return _registry(_plain(self.document, closed=False))


_URI = "urn:emnify:openapi"
_JSON = "application/json"


def _registry(document: Any) -> Registry[Any]:
    resource = Resource(contents=document, specification=DRAFT202012)
    return Registry().with_resource(_URI, resource)


def _plain(node: Any, *, closed: bool) -> Any:
    """Return the document with any-of for one-of, whose branches overlap; with closed objects if asked."""
    if isinstance(node, list):
        return [_plain(part, closed=closed) for part in node]
    if not isinstance(node, dict):
        return node
    plain = {("anyOf" if key == "oneOf" else key): _plain(part, closed=closed) for key, part in node.items()}
    is_object = plain.get("type") == "object" and isinstance(plain.get("properties"), dict)
    if closed and is_object and plain["properties"]:
        plain.setdefault("additionalProperties", False)
    return plain


def _leaves(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    for error in errors:
        if error.context:
            yield from _leaves(error.context)
        else:
            yield error


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _exempt(exemptions: Iterable[Exemption], method: str, template: str, where: str, what: str) -> bool:
    return any(exemption.covers(method, template, where, what) for exemption in exemptions)
