"""No secret stands in what a task is given or gives back, for any of the operations."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import DAG
from airflow_provider_emnify.api.resources import RESOURCES, operations_of
from airflow_provider_emnify.api.secret_names import hide_secrets, looks_secret, secrets_in
from airflow_provider_emnify.operators import secret
from airflow_provider_emnify.operators.data_stream import EmnifyCreateDataStreamOperator
from airflow_provider_emnify.operators.emnify import EmnifyOperator
from airflow_provider_emnify.operators.graphql import EmnifyGraphqlOperator
from tests.openapi import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "s3cr3t-7d1f0c99"
WORDS = re.compile(
    r"secret|passw|psk|key|pin|puk|code|token|credential|header|callback|url|otp|fingerprint|auth"
)
REVIEWED = {  # ids of things, which open nothing
    "api_callback_id",
    "api_secret_id",
    "application_token_id",
    "key_id",
    "moc_callback_id",
}
NO_SECRETS = {  # ids, references, codes of currencies and errors; calls with a code of MFA are refused
    "api_callback",
    "api_callback_id",
    "api_secret_id",
    "app_token_id",
    "code",
    "country_code",
    "error_code",
    "error_token",
    "iso_code",
    "key_id",
    "moc_callback",
    "status_code",
    "tapcode",
    "teleservice_code",
    "translationKeyDescription",
    "translationKeyName",
}
KEYS = (
    "api_key",
    "write_key",
    "connection_string",
    "headers",
    "url",
    "secret_access_key",
    "private_key",
    "password",
)
CREDENTIALS = [{"destination": {"connection_type": "RestAPI", "credentials": {key: SECRET}}} for key in KEYS]
CREDENTIALS.append({"destination": {"credentials": {"headers": [f"Authorization: {SECRET}"]}}})
CASES: list[tuple[str, dict[str, Any]]] = [
    ("cloud_connect.create_vpn", {"name": "n", "public_ip": "1.2.3.4", "on_prem_cidr": [], "psk": SECRET}),
    ("euiccs.schedule_operation", {"activation_code": SECRET}),
    ("api_callbacks.create", {"url": f"https://example.org/{SECRET}"}),
    *(("data_streams.create", {"name": "n", **one}) for one in CREDENTIALS),
    *(("data_streams.update", {"data_stream_id": 7, **one}) for one in CREDENTIALS),
    (
        "automations.update",
        {"configured_actions": [{"properties": [{"property": "token", "value": SECRET}]}]},
    ),
]


def filled(call: str, arguments: dict[str, Any]) -> dict[str, Any]:
    resource, _, name = call.partition(".")
    parameters = inspect.signature(getattr(RESOURCES[resource], name)).parameters.values()
    needed = {p.name: 1 for p in parameters if p.default is p.empty and p.name != "self"}
    return {**needed, **arguments}


@pytest.mark.parametrize(("call", "arguments"), CASES)
def test_a_secret_argument_is_refused_and_not_quoted(call: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is a secret") as caught:
        EmnifyOperator(task_id="t", call=call, arguments=filled(call, arguments))
    assert SECRET not in str(caught.value)


def test_what_a_template_renders_to_is_masked_before_it_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[str] = []
    monkeypatch.setattr(secret, "mask", masked.append)
    with DAG("fleet", schedule=None):
        operator = EmnifyOperator(
            task_id="t", call="data_streams.update", arguments={"data_stream_id": 7, "destination": "{{ x }}"}
        )
    operator.arguments = {"data_stream_id": 7, **CREDENTIALS[-1]}
    assert masked == [f"Authorization: {SECRET}"]


def test_every_argument_that_sounds_secret_is_flagged_or_reviewed() -> None:
    unflagged = [
        f"{resource}.{name}({argument})"
        for resource, kind in RESOURCES.items()
        for name, operation in operations_of(kind).items()
        for argument in inspect.signature(getattr(kind, name)).parameters
        if WORDS.search(argument) and argument not in REVIEWED
        if not operation.secret and argument not in operation.secret_arguments
    ]
    assert unflagged == []


@pytest.mark.parametrize(
    "name", ["psk", "PIN", "pin1", "puk2", "ki", "opc", "apiKey", "refresh_token", "activationKey"]
)
def test_a_secret_in_an_answer_is_hidden(name: str) -> None:
    answer = [{"id": 7, "nested": [{name: SECRET, "error_token": "NotFound"}]}]
    assert hide_secrets(answer) == [{"id": 7, "nested": [{name: "***", "error_token": "NotFound"}]}]
    assert [place for place, _ in secrets_in(answer)] == [f"nested.{name}"]


def test_declared_fields_of_an_answer_are_hidden() -> None:
    fields = operations_of(RESOURCES["service_profiles"])["get"].secret_fields
    profile = {"api_secret": {"id": 1, "secret": SECRET}, "api_callback": {"id": 2, "url": SECRET}}
    assert SECRET not in str(hide_secrets(profile, fields))


@pytest.mark.parametrize(
    "variables", [{"password": SECRET}, {"input": {"apiKey": SECRET}}, {"list": [{"psk": SECRET}]}]
)
def test_graphql_variables_hold_no_secret(variables: Any) -> None:
    with pytest.raises(ValueError, match="is a secret") as caught:
        EmnifyGraphqlOperator(task_id="t", query="query Q { a }", variables=variables)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "credentials",
    [
        {"secret_access_key": SECRET},
        {"headers": [SECRET]},
        {"nested": [{"password": SECRET}]},
        {"url": f"https://me:{SECRET}@example.org/hook"},
        {"url": f"https://example.org/hook?key={SECRET}"},
        f'{{"api_key": "{SECRET}"}}',
        f"Bearer {SECRET}",
    ],
    ids=str,
)
def test_a_destination_holds_no_secret(credentials: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[str] = []
    monkeypatch.setattr(secret, "mask", masked.append)
    destination = {"connection_type": "RestAPI", "credentials": credentials}
    with pytest.raises(ValueError, match="destination: ") as caught:
        EmnifyCreateDataStreamOperator(task_id="t", name="n", destination=destination)
    assert SECRET not in str(caught.value)


def test_a_url_without_a_secret_is_taken() -> None:
    destination = {"connection_type": "RestAPI", "credentials": {"url": "https://example.org/hook"}}
    EmnifyCreateDataStreamOperator(task_id="t", name="n", destination=destination)


def test_a_rendered_destination_is_masked_before_it_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[str] = []
    monkeypatch.setattr(secret, "mask", masked.append)
    with DAG("fleet", schedule=None):
        operator = EmnifyCreateDataStreamOperator(task_id="t", name="n", destination="{{ x }}")
    operator.destination = {"connection_type": "Datadog", "credentials": {"api_key": SECRET}}
    assert masked == [SECRET]


def test_every_property_of_the_openapi_that_sounds_secret_is_known_or_reviewed() -> None:
    facts = json.loads((ROOT / "tests" / "api_facts.json").read_text())
    declared = {
        name.rpartition(".")[2]
        for kind in RESOURCES.values()
        for operation in operations_of(kind).values()
        for name in (*operation.secret_arguments, *operation.secret_fields)
    }
    unknown = {
        name
        for name in fields(facts)
        if WORDS.search(name.lower()) and name not in declared and not looks_secret(name, "")
    }
    assert unknown - NO_SECRETS == set()


def fields(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, item in node.items():
            yield from [] if " " in name else [name.strip("*!?")]
            yield from fields(item)
    elif isinstance(node, list):
        for item in node:
            yield from fields(item)
