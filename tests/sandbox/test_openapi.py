"""The check of requests against the OpenAPI finds what it should, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.openapi import OpenApi

ENDPOINT = "/api/v1/endpoint/{endpoint_id}"
DEVICE = {"service_profile": {"id": 1}, "tariff_profile": {"id": 1}, "status": {"id": 0}}


@pytest.mark.parametrize(
    ("method", "template", "path", "query", "body", "finding"),
    [
        ("GET", None, "/api/v1/nothing", {}, None, "there is no such operation"),
        ("GET", ENDPOINT, "/api/v1/endpoint/7", {"colour": "red"}, None, "query colour: is no parameter"),
        ("GET", "/api/v1/endpoint", "/api/v1/endpoint", {"page": "x"}, None, "query page: 'x' is no number"),
        (
            "GET",
            "/api/v1/endpoint/{endpoint_id}/event",
            "/api/v1/endpoint/x/event",
            {},
            None,
            "'x' is no number",
        ),
        ("GET", "/api/v1/user", "/api/v1/user", {}, {}, "takes no body"),
        ("POST", "/api/v1/endpoint", "/api/v1/endpoint", {}, None, "a body is required"),
        ("POST", "/api/v1/endpoint", "/api/v1/endpoint", {}, {**DEVICE, "nme": "x"}, "'nme' was unexpected"),
        (
            "POST",
            "/api/v1/endpoint",
            "/api/v1/endpoint",
            {},
            {"status": {"id": 0}},
            "'service_profile' is a req",
        ),
        (
            "POST",
            "/api/v1/endpoint",
            "/api/v1/endpoint",
            {},
            {**DEVICE, "status": {}},
            "status: 'id' is a req",
        ),
        ("PATCH", ENDPOINT, "/api/v1/endpoint/7", {}, {"name": 7}, "name: 7 is not of type 'string'"),
        (
            "PATCH",
            "/api/v2/endpoint/multi",
            "/api/v2/endpoint/multi",
            {},
            [{"name": "x"}],
            "0: 'id' is a required",
        ),
        ("POST", "/api/v1/user", "/api/v1/user", {}, {"name": "x"}, "'username' is a required property"),
        ("POST", "/api/v1/user", "/api/v1/user", {}, "no json", "is not of type 'object'"),
    ],
)
def test_a_violation_is_found(
    openapi: OpenApi,
    method: str,
    template: str | None,
    path: str,
    query: dict[str, str],
    body: Any,
    finding: str,
) -> None:
    (violation,) = openapi.request_violations(method, template, path, query, body)[:1]
    assert finding in violation


@pytest.mark.parametrize(
    ("method", "template", "path", "body"),
    [
        ("PATCH", ENDPOINT, "/api/v1/endpoint/7", {"name": "x"}),
        ("PATCH", ENDPOINT, "/api/v1/endpoint/7", {"sim": {"id": None}}),
        ("PATCH", "/api/v2/endpoint/multi", "/api/v2/endpoint/multi", [{"id": 7, "sim": {"id": None}}]),
        ("PATCH", ENDPOINT + "/connectivity", "/api/v1/endpoint/7/connectivity", {"location": None}),
        ("POST", "/api/v1/user", "/api/v1/user", {"username": "x", "name": "x"}),
        ("GET", "/api/v1/user/{user_id}", "/api/v1/user/me%40example.com", None),
        ("GET", "/api/v1/user/{user_id}/event", "/api/v1/user/my/event", None),
    ],
)
def test_what_the_descriptions_allow_is_no_violation(
    openapi: OpenApi, method: str, template: str, path: str, body: Any
) -> None:
    assert openapi.request_violations(method, template, path, {}, body) == []
