"""Whatever is sent, the sandbox answers with an error of emnify's and goes on."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_emnify.sandbox import Sandbox
from airflow_provider_emnify.sandbox import routes as _served  # noqa: F401 - fills the table of routes
from airflow_provider_emnify.sandbox.http.engine import Request
from airflow_provider_emnify.sandbox.http.wire import ROUTES
from airflow_provider_emnify.sandbox.world.accounts import Identity

FIELDS = [
    "action",
    "action_on_exhaustion",
    "actionable_event",
    "activate",
    "activationKey",
    "allowed_sim_statuses",
    "api_callback",
    "application_token",
    "breakout_region",
    "code",
    "color",
    "configuration_properties",
    "configured_actions",
    "connection_type",
    "credentials",
    "custom_event",
    "dcs",
    "description",
    "destination",
    "dns",
    "dry_run",
    "eid",
    "end_date",
    "endpoint",
    "endpoints",
    "esme_interface_type",
    "expiry_date",
    "filters",
    "fingerprint",
    "iccid_range",
    "iccids",
    "id",
    "imei",
    "imei_lock",
    "ip_address",
    "ip_address_space",
    "ip_address_version",
    "items",
    "location",
    "mfa_token",
    "name",
    "new_password",
    "old_password",
    "organisation",
    "password",
    "payload",
    "period",
    "pooled",
    "primary",
    "properties",
    "property",
    "query",
    "rat_types",
    "refresh_token",
    "role",
    "roles",
    "satellite_only",
    "secondary",
    "secret",
    "service",
    "service_profile",
    "sim",
    "sim_status",
    "sims",
    "source_address",
    "source_address_type",
    "start_date",
    "status",
    "system_event",
    "tags",
    "target",
    "target_organisation",
    "target_workspace",
    "targeting_properties",
    "tariff",
    "tariff_profile",
    "template",
    "token",
    "trusted_device",
    "type",
    "udh",
    "url",
    "username",
    "value",
    "value_array",
    "volume",
    "warning_percent",
]
ESIM_PATHS = ("/api/v1/euicc", "/api/v1/sim/operation", "/api/v1/sim/unlinked_product_stats")
KNOWN = [0, 1, 2, 4, 100, 101, 1001, 1_000_001, 2_000_001, 2_000_101, 3_000_001]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(KNOWN),
    st.integers(),
    st.floats(),
    st.sampled_from(
        [
            "1",
            "a@example.com",
            "10.0.0.1",
            "192.168.0.0/24",
            "12345678901234",
            "2090-01-01T00:00:00Z",
            "050003CC0201",
            "S3",
        ]
    ),
    st.text(max_size=5),
)


def _deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6)
    return st.one_of(st.lists(inner, max_size=3), objects)


BODIES = st.recursive(SCALARS, _deeper, max_leaves=12)
VALUES = st.one_of(
    st.sampled_from([*map(str, KNOWN), "my", "admin@example.com", "SANDBOX-0001"]),
    st.text(min_size=1, max_size=5),
)
CRITERIA = ["id:1", "-id", "2", "true", "from:x,until:y", "status:0|1", "tags:null", "2024-01-01"]
QUERIES = st.dictionaries(
    st.sampled_from(
        [
            "q",
            "sort",
            "page",
            "per_page",
            "delete_sims",
            "start_date",
            "end_date",
            "name",
            "status",
            "workspace_ids",
        ]
    ),
    st.one_of(st.sampled_from(CRITERIA), st.text()),
    max_size=3,
)


@settings(max_examples=600)
@given(
    route=st.sampled_from(sorted(ROUTES)),
    value=VALUES,
    query=QUERIES,
    body=BODIES,
)
def test_no_request_makes_the_sandbox_fail(
    route: tuple[str, str], value: str, query: dict[str, str], body: Any
) -> None:
    sandbox = Sandbox(3, spare_sims=3, events=5, euiccs=1, limits=False)
    engine, (method, template) = sandbox.engine, route
    token = sandbox.accounts.issue(Identity("user", 1001, 100))
    path = "/".join(quote(value, safe="") if part.startswith("{") else part for part in template.split("/"))
    request = Request(
        method=method,
        raw_path=path,
        query=query,
        query_string="",
        headers={"authorization": f"Bearer {token}"},
        content=json.dumps(body).encode(),
        address="127.0.0.1",
    )
    visit = engine.arrive(request)
    answer = engine.act(visit)
    engine.leave(visit, answer.status)
    assert not sandbox.failures
    assert answer.status < 500
    if answer.status >= 400 and answer.status != 401:
        code = "status_code" if template.startswith(ESIM_PATHS) else "error_code"
        assert isinstance(answer.body[code], int)
