"""Every served operation, called well, answers as the OpenAPI says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.sandbox.http.wire import GRAPHQL, ROUTES
from tests.sandbox.telling import ADMIN, tell_all

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.openapi import OpenApi
    from tests.sandbox.support import Api


def test_every_served_operation_answers_as_the_openapi_says(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api], openapi: OpenApi
) -> None:
    sandbox = make_sandbox(3, events=20, euiccs=1, limits=False, token_life=10**7)
    api = connect(sandbox, ADMIN)
    told = set()
    violations = []

    def tell(
        method: str, template: str, values: dict[str, Any] | None = None, body: Any = None, **query: Any
    ) -> Any:
        answer: requests.Response = api.send(method, template.format_map(values or {}), body, **query)
        assert answer.ok, f"{method} {template}: {answer.status_code} {answer.text}"
        told.add((method, template))
        violations.extend(openapi.response_violations(method, template, answer.status_code, answer.content))
        return answer.json() if answer.content else None

    tell_all(tell, sandbox)
    assert not violations
    assert told == set(ROUTES) - {GRAPHQL}, "an operation is served that this test does not call"


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize(
    ("method", "template", "path", "body"),
    [
        ("POST", "/api/v1/endpoint", "/api/v1/endpoint", {}),
        ("PATCH", "/api/v1/endpoint/{endpoint_id}", "/api/v1/endpoint/1000001", {"name": 7}),
        ("PATCH", "/api/v2/endpoint/multi", "/api/v2/endpoint/multi", [{}]),
        ("GET", "/api/v1/user/{user_id}", "/api/v1/user/7", None),
        ("POST", "/api/v1/user", "/api/v1/user", {}),
        ("PATCH", "/api/v1/sim/{sim_id}", "/api/v1/sim/2000001", {"status": {"id": 3}}),
    ],
)
def test_errors_are_as_the_openapi_says(
    make_sandbox: Callable[..., Sandbox],
    connect: Callable[..., Api],
    openapi: OpenApi,
    method: str,
    template: str,
    path: str,
    body: Any,
) -> None:
    answer = connect(make_sandbox(1)).send(method, path, body)
    assert answer.status_code in {404, 409, 422}
    assert openapi.response_violations(method, template, answer.status_code, answer.content) == []
