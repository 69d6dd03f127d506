"""emnify's OpenAPI, run against the sandbox by Schemathesis: nothing fails, and every answer conforms.

Bounded, and the same in every run: a few cases an operation, made without chance.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_emnify.sandbox.http.wire import GRAPHQL, ROUTES
from tests.sandbox.telling import ADMIN, AUTOMATION, EVENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.openapi import OpenApi
    from tests.sandbox.support import Api

schemathesis = pytest.importorskip("schemathesis")

CASES = 24
KNOWN = {
    "address_space_id": 1,
    "api_callback_id": 1,
    "api_secret_id": 1,
    "app_token_id": 1,
    "bic": "SANDBOX-0001",
    "breakout_type_id": 1,
    "cloudconnect_attachment_id": 1,
    "data_stream_id": 1,
    "custom_event_id": "known",
    "device_id": 1,
    "dns_id": 2,
    "endpoint_id": 1_000_001,
    "euicc_id": 3_000_001,
    "id": "known",
    "inclusive_volume_id": 1,
    "key_id": 1,
    "limit_id": 3,
    "operator_id": 1,
    "org_id": 100,
    "org_id_or_my": "my",
    "profile_id": 1,
    "quota_type": "data",
    "rate_type_id": 6,
    "ratezone_id": 1,
    "role_id": 2,
    "service_id": 21,
    "sim_id": 2_000_001,
    "sms_id": 1,
    "system_event_id": "11",
    "tag_id": 1,
    "tariff_profile_id": 1,
    "template_id": "1",
    "user_id": 1001,
    "workspace_id": 100,
}
"""Things that are there, so that not every case ends at a 404."""

ENDPOINTS, SIMS = [1_000_001, 1_000_002, 1_000_003], [2_000_001, 2_000_002, 2_000_003]
IDS = {
    "api_callback": [1],
    "api_secret": [1],
    "color": [1, 2],
    "data_stream_type": [1, 2],
    "endpoint": ENDPOINTS,
    "ip_address_space": [1],
    "organisation": [100, 101],
    "product": [1],
    "rat_types": [1, 2, 6],
    "roles": [1, 2, 3],
    "service_profile": [1, 2],
    "sim": SIMS,
    "sims": SIMS,
    "status": [0, 1, 2],
    "tags": [1, 2],
    "tariff": [1, 2],
    "template": [1, 2],
    "target_organisation": [101],
    "target_workspace": [101],
    "tariff_profile": [1, 2],
    "type": [1],
}
"""Ids that are there, by the name of what has them."""
FIXED = settings(
    max_examples=CASES,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="session")
def schema(openapi: OpenApi) -> Any:
    return schemathesis.openapi.from_dict(openapi.document)


def cases(operation: Any, token: str) -> st.SearchStrategy[Any]:
    """Good and bad calls, of things that are there and of others."""
    known = {name: str(value) for name, value in KNOWN.items() if f"{{{name}}}" in operation.path}
    mode = schemathesis.GenerationMode
    headers = {"Authorization": token}
    return st.one_of(
        operation.as_strategy(mode.POSITIVE, headers=headers, path_parameters=known),
        operation.as_strategy(mode.POSITIVE, headers=headers),
        operation.as_strategy(mode.NEGATIVE, headers=headers, path_parameters=known),
    )


def with_known_ids(body: Any, of: str, known: dict[str, list[int]], data: st.DataObject) -> Any:
    """Replace the ids in a body by such as are there.

    :param of: Name of what the body is.
    """
    if isinstance(body, list):
        return [with_known_ids(part, of, known, data) for part in body]
    if not isinstance(body, dict):
        return body
    return {
        key: data.draw(st.sampled_from(known.get(of, [1])))
        if key == "id" and isinstance(part, (int, float))
        else with_known_ids(part, key, known, data)
        for key, part in body.items()
    }


def furnish(api: Api) -> None:
    """Put one of everything there that only exists once it is made."""
    expiry = {"expiry_date": "2090-01-01T00:00:00Z"}
    quota = {"volume": 1, "status": {"id": "1"}, "action_on_exhaustion": {"id": "1"}, **expiry}
    destination = {"connection_type": "Datadog", "credentials": {"api_key": "x"}}
    vpn = {"type": {"id": "2"}, "name": "vpn", "public_ip": "192.0.2.1", "on_prem_cidr": ["10.2.0.0/16"]}
    for path, body in (
        ("/api/v1/endpoint/1000001/sms", {"payload": "Hello"}),
        ("/api/v1/endpoint/1000001/quota/data", quota),
        ("/api/v1/endpoint/1000001/quota/sms", {**quota, "threshold_percentage": 10}),
        ("/api/v2/endpoint/1000001/tags", {"id": 1}),
        ("/api/v2/data_stream", {"name": "stream", "destination": destination}),
        ("/api/v1/cnc/breakout/vpn", vpn),
        ("/api/v1/api_callback", {"url": "http://127.0.0.1:9/sms"}),
        ("/api/v1/api_secret", {"purpose": "x"}),
        ("/api/v1/dns", {"primary": "192.0.2.1", "secondary": "192.0.2.2", "ip_address_version": 4}),
        ("/api/v1/service_profile/1/traffic_limit", {"service": {"id": "38"}, "volume": 1000}),
        ("/api/v1/event/custom/configuration", EVENT),
        ("/api/v1/automation", AUTOMATION),
    ):
        answer = api.post(path, body)
        assert answer.status_code == 201, answer.text
    state = api.sandbox.state
    for table in (state.custom_events, state.automations):
        (row,) = table.values()
        table["known"] = {**row, "id": "known"}


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize(
    ("method", "template"),
    [pytest.param(*operation, id=" ".join(operation)) for operation in sorted(set(ROUTES) - {GRAPHQL})],
)
def test_whatever_the_openapi_allows_is_answered_as_it_says(
    make_sandbox: Callable[..., Sandbox],
    connect: Callable[..., Api],
    openapi: OpenApi,
    schema: Any,
    method: str,
    template: str,
) -> None:
    sandbox = make_sandbox(3, spare_sims=20, events=5, euiccs=2, limits=False)
    api = connect(sandbox, ADMIN)
    furnish(api)
    token = api.session.headers.pop("Authorization")
    lookups = sandbox.state.lookups
    actions = lookups.sim_actions if "/sim/" in template else lookups.euicc_actions
    top, known = "sim" if "/sim/" in template else "endpoint", {**IDS, "action": list(actions)}

    @FIXED
    @given(case=cases(schema[template][method], str(token)), data=st.data())
    def check(case: Any, data: st.DataObject) -> None:
        sent = case.as_transport_kwargs(base_url=sandbox.url)
        if "json" in sent and data.draw(st.booleans()):
            sent["json"] = with_known_ids(sent["json"], top, known, data)
        try:
            answer = api.session.request(**sent, timeout=10, allow_redirects=False)
        except (requests.exceptions.RequestException, UnicodeError) as error:
            if isinstance(error, requests.ConnectionError):
                raise
            return  # nothing that could be sent
        status, asked = answer.status_code, f"{method} {sent['url']} {sent.get('json', '')!r}"
        served = sandbox.log[-1].template  # a path such as .. leads elsewhere
        assert status < 500, f"{asked}: {answer.text}"
        if answer.content:
            assert answer.headers["Content-Type"] == "application/json", asked
            json.loads(answer.content)
        if served is not None:
            assert openapi.response_violations(method, served, status, answer.content) == [], asked

    check()
    assert 401 not in sandbox.statuses or template.startswith("/api/v1/authenticate")
