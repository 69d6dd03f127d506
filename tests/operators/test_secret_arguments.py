"""No secret stands in what a task is given or gives back, for any of the operations."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify import arguments
from airflow_provider_emnify.airflow_names import DAG
from airflow_provider_emnify.api.__main__ import reference
from airflow_provider_emnify.api.resources import RESOURCES, operations_of
from airflow_provider_emnify.api.secrets.names import hide_secrets, looks_secret, secrets_in
from airflow_provider_emnify.api.streams.catalogue import STREAMS
from airflow_provider_emnify.api.streams.columns import Column, ColumnType
from airflow_provider_emnify.api.streams.converter import Converter
from airflow_provider_emnify.hooks import masking
from airflow_provider_emnify.operators.data_stream import EmnifyCreateDataStreamOperator
from airflow_provider_emnify.operators.emnify import EmnifyOperator
from airflow_provider_emnify.operators.graphql import EmnifyGraphqlOperator
from tests.openapi import ROOT
from tests.operators.support import context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emnify.sandbox import Sandbox

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
# Ids, references, codes of currencies and errors. A service profile takes its callbacks by their ids alone,
# and the URLs in its answer are declared. Calls with a code of MFA are refused.
NO_SECRETS = {
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
    monkeypatch.setattr(arguments, "mask", masked.append)
    monkeypatch.setattr(masking, "mask", masked.append)
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


HEADER = f"Authorization: Bearer {SECRET}"
NESTED: list[tuple[Any, Any]] = [
    ({"headers": [HEADER, "X: y"]}, {"headers": ["***", "***"]}),
    ({"headers": {"X-Key": SECRET}}, {"headers": {"X-Key": "***"}}),
    ({"api_keys": 1, "tokens": 2}, {"api_keys": 1, "tokens": 2}),
    ({"token": [SECRET, {"id": 7, "value": SECRET}]}, {"token": ["***", {"id": 7, "value": "***"}]}),
    ({"psk": [[SECRET]]}, {"psk": [["***"]]}),
    ({"pin": [1234]}, {"pin": ["***"]}),
    ({"credentials": {"user": "a", "nested": {"x": [SECRET]}}}, None),
    ({"apiSecret": {"id": 3, "data": SECRET}}, {"apiSecret": {"id": 3, "data": "***"}}),
    ({"properties": [{"property": "password", "value": SECRET}]}, None),
    ({"properties": [{"property": "token", "value_array": [SECRET]}]}, None),
    ({"notes": [HEADER, f"Basic {SECRET}"]}, {"notes": ["***", "***"]}),
    ({"hook": f"https://me:{SECRET}@example.org/"}, {"hook": "***"}),
    ({"simPin1": SECRET, "adminPassword": SECRET, "pukCode": 1}, None),
    ([[{"secret": SECRET}]], [[{"secret": "***"}]]),
]
HARMLESS = {
    "key_fingerprint": "ab:cd",
    "deviceFingerprint": "ab:cd",
    "nextToken": "page-2",
    "error_token": "NotFound",
    "op": "update",
    "pinned": True,
    "spin": 3,
    "map_pin": None,
    "passworded": "no",
    "has_password": True,
    "url": "https://example.org/a:b@c",
    "tariff": "Basic Connectivity",
    "text": "Bearer established",
}


@pytest.mark.parametrize(("answer", "shown"), NESTED, ids=str)
def test_a_secret_in_a_list_or_an_object_is_hidden(answer: Any, shown: Any) -> None:
    hidden = hide_secrets({"data": [answer]})
    assert SECRET not in str(hidden)
    if shown is not None:
        assert hidden == {"data": [shown]}


@pytest.mark.parametrize("answer", [answer for answer, _ in NESTED], ids=str)
def test_a_stream_s_row_holds_none_of_them(answer: Any) -> None:
    row = Converter([Column("id", ColumnType.INTEGER, ("id",))])({"id": 1, "rest": [answer]})
    assert SECRET not in str(row)


def test_a_harmless_field_is_shown() -> None:
    assert hide_secrets(HARMLESS) == HARMLESS


def test_a_field_that_is_declared_is_hidden_whole() -> None:
    answer = {"headers": ["a: b"], "url": {"x": SECRET}, "id": 7}
    assert hide_secrets(answer, ("headers", "url")) == {"headers": "***", "url": "***", "id": 7}


def test_the_stream_of_service_profiles_holds_no_callback_url() -> None:
    profile = {"id": 1, "api_callback": {"id": 2, "url": SECRET}, "moc_callback": {"id": 3, "url": SECRET}}
    row = STREAMS["service_profiles"].converter(profile)
    assert (row["api_callback_id"], row["moc_callback_id"]) == (2, 3)
    assert SECRET not in str(row)


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
    "literal",
    [
        f'password: "{SECRET}"',
        f'apiKey :"""{SECRET}"""',
        f'token:"a\\"{SECRET}"',
        f'x: ["Bearer {SECRET}-long"]',
    ],
)
def test_a_graphql_query_holds_no_secret(literal: str) -> None:
    with pytest.raises(ValueError, match="is a secret") as caught:
        EmnifyGraphqlOperator(task_id="t", query=f"mutation M {{ a(input: {{{literal}}}) {{ id }} }}")
    assert SECRET not in str(caught.value)


def test_a_graphql_query_may_ask_for_what_sounds_secret() -> None:
    query = 'query Q($password: String) { a(password: $password, token: "", name: "x") { token } }'
    EmnifyGraphqlOperator(task_id="t", query=query)


def test_the_docs_name_arguments_and_answers_that_are_secret() -> None:
    rows = {line.split("`")[3]: line.rsplit("|", 2)[1].strip() for line in reference().splitlines()[2:]}
    assert rows["client.api_callbacks.create"] == "`url`; answer: `url`, `callback_url`"
    assert rows["client.service_profiles.get"] == "answer: `secret`, `url`"
    assert "`destination.credentials.url`" in rows["client.data_streams.create"]
    assert rows["client.api_secrets.get"] == "yes"
    assert rows["client.users.get"] == ""


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
    monkeypatch.setattr(arguments, "mask", masked.append)
    monkeypatch.setattr(masking, "mask", masked.append)
    destination = {"connection_type": "RestAPI", "credentials": credentials}
    with pytest.raises(ValueError, match="destination: ") as caught:
        EmnifyCreateDataStreamOperator(task_id="t", name="n", destination=destination)
    assert SECRET not in str(caught.value)


def test_a_url_without_a_secret_is_taken() -> None:
    destination = {"connection_type": "RestAPI", "credentials": {"url": "https://example.org/hook"}}
    EmnifyCreateDataStreamOperator(task_id="t", name="n", destination=destination)


def test_the_url_of_a_destination_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[str] = []
    monkeypatch.setattr(arguments, "mask", masked.append)
    monkeypatch.setattr(masking, "mask", masked.append)
    destination = {"connection_type": "RestAPI", "credentials": {"url": f"https://example.org/{SECRET}"}}
    EmnifyCreateDataStreamOperator(task_id="t", name="n", destination=destination)
    assert masked == [f"https://example.org/{SECRET}"]


def test_a_url_with_a_secret_in_its_path_comes_from_a_connection(
    sandbox_connection: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    masked: list[str] = []
    monkeypatch.setattr(arguments, "mask", masked.append)
    monkeypatch.setattr(masking, "mask", masked.append)
    url = f"https://example.org/{SECRET}"
    monkeypatch.setenv("AIRFLOW_CONN_HOOK", json.dumps({"conn_type": "http", "extra": {"url": url}}))
    caplog.set_level("DEBUG")
    operator = EmnifyCreateDataStreamOperator(
        task_id="t",
        name="n",
        data_stream_type_id=1,
        destination={"connection_type": "RestAPI", "format": "JSON"},
        credentials_conn_id="hook",
    )
    operator.execute(context())
    [stream] = sandbox_connection.state.data_streams.values()
    assert stream.destination["credentials"] == {"url": url}
    assert url in masked
    assert SECRET not in caplog.text
    assert SECRET not in str([getattr(operator, field) for field in operator.template_fields])


def test_a_rendered_destination_is_masked_before_it_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[str] = []
    monkeypatch.setattr(arguments, "mask", masked.append)
    monkeypatch.setattr(masking, "mask", masked.append)
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
