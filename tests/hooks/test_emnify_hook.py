from __future__ import annotations

import importlib.util
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import BaseHook
from airflow_provider_emnify.hooks import emnify as module
from airflow_provider_emnify.hooks.connection import ConnectionSettings, EmnifyConnectionConfigError
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.hooks.form import FIELDS
from airflow_provider_emnify.provider_info import PROVIDER_INFO
from tests.hooks.test_connection_secrets import Stored

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("sandbox_connection")


def point_at(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, **fields: Any) -> None:
    connection = {**json.loads(sandbox.airflow_connection), **fields}
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))


def test_one_hook_means_one_client_and_one_authentication(sandbox: Sandbox) -> None:
    with EmnifyHook() as hook:
        assert hook.get_conn() is hook.get_conn()
        assert sandbox.requests == 0
        for _ in range(3):
            hook.get_conn().organisations.my()
        hook.token_info()
    assert sandbox.authentications == 1


def test_a_closed_hook_can_be_used_again(sandbox: Sandbox) -> None:
    hook = EmnifyHook()
    hook.get_conn().organisations.my()
    first = hook.get_conn()
    hook.close()
    hook.close()
    assert hook.get_conn() is not first
    hook.get_conn().organisations.my()
    hook.close()
    assert sandbox.authentications == 2


def test_the_user_agent_names_provider_airflow_and_python(sandbox: Sandbox) -> None:
    with EmnifyHook() as hook:
        hook.get_conn().organisations.my()
    sent = sandbox.log[-1].headers
    agent = {key.lower(): value for key, value in sent.items()}["user-agent"]
    assert agent.split("/")[0] == "airflow-provider-emnify"
    assert " Airflow/" in agent
    assert " Python/" in agent


def test_token_info_says_who_and_how_long_and_no_secret(sandbox: Sandbox) -> None:
    with EmnifyHook() as hook:
        info = hook.token_info()
    assert info["organisation_id"] == 100
    assert 0 < info["seconds_left"] <= 14_400
    assert not [secret for secret in sandbox.secrets if secret in json.dumps(info)]


def test_the_connection_s_settings_reach_the_client(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_at(monkeypatch, sandbox, extra={"max_retries": 0, "timeout": 7, "rate_limit_store": "memory"})
    seen: dict[str, Any] = {}
    from airflow_provider_emnify.api import EmnifyClient as real

    def record(credentials: Any, **options: Any) -> Any:
        seen.update(options)
        return real(credentials, **options)

    monkeypatch.setattr("airflow_provider_emnify.api.EmnifyClient", record)
    with EmnifyHook() as hook:
        hook.get_conn()
    assert (seen["max_retries"], seen["timeout"], seen["base_url"]) == (0, 7, sandbox.url)


@pytest.mark.parametrize(
    ("fields", "extra", "keeps_tokens"),
    [
        ({}, {}, None),
        ({}, {"token_cache": "host"}, True),
        ({"login": "ann@example.org"}, {}, False),
        ({"login": "ann@example.org"}, {"rate_limit_store": "memory"}, None),
        ({"login": "ann@example.org"}, {"token_cache": "host"}, True),
    ],
)
def test_tasks_with_a_user_s_password_share_what_could_lock_the_account(
    fields: dict[str, str], extra: dict[str, str], keeps_tokens: bool | None
) -> None:
    conn: Any = Stored(password="secret", extra=json.dumps(extra), **fields)
    cache = module.shared_cache(ConnectionSettings.from_airflow(conn, on_secret=lambda _: None))
    assert (None if cache is None else cache.keeps_tokens) is keeps_tokens


def test_a_bad_connection_is_an_error_on_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps({"conn_type": "emnify"}))
    hook = EmnifyHook()
    with pytest.raises(
        EmnifyConnectionConfigError, match="'emnify_default', password: it is empty"
    ) as caught:
        hook.get_conn()
    assert hook.test_connection() == (False, str(caught.value))


def test_test_connection_names_the_organisation(sandbox: Sandbox) -> None:
    worked, message = EmnifyHook().test_connection()
    assert worked
    assert message.startswith("Connected to Sandbox (organisation 100)")
    assert "valid until" in message
    assert not [secret for secret in sandbox.secrets if secret in message]


def test_test_connection_with_user_credentials(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(monkeypatch, sandbox, login=sandbox.username, password=sandbox.password)
    assert EmnifyHook().test_connection()[0]


@pytest.mark.parametrize(
    ("fields", "fault", "words"),
    [
        ({"password": "wrong-token-42"}, None, ["Not accepted", "application token"]),
        ({"login": "admin@example.com", "password": "wrong-pass-42"}, None, ["Not accepted", "password"]),
        ({"host": "http://127.0.0.1:9"}, None, ["No answer", "127.0.0.1:9"]),
        ({}, {"path": "/api/v1/organisation/my", "status": 403}, ["not allowed", "role"]),
        ({}, {"path": "/api/v1/organisation/my", "status": 503, "times": None}, ["The API failed"]),
        ({}, {"path": "/api/v1/organisation/my", "status": 429, "times": None}, ["rate limit"]),
    ],
)
def test_test_connection_says_what_to_do(
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, Any],
    fault: dict[str, Any] | None,
    words: list[str],
) -> None:
    point_at(monkeypatch, sandbox, **fields)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    if fault is not None:
        sandbox.faults.add(**fault)
    worked, message = EmnifyHook().test_connection()
    assert not worked
    for word in words:
        assert word in message
    for secret in [*sandbox.secrets, "wrong-token-42", "wrong-pass-42"]:
        assert secret not in message


def test_test_connection_tells_tls_trouble(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(monkeypatch, sandbox, host=sandbox.url.replace("http://", "https://"))
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    worked, message = EmnifyHook().test_connection()
    assert not worked
    assert "TLS certificate was not accepted" in message
    assert sandbox.application_token not in message


def test_test_connection_does_not_hang(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    sandbox.faults.add(path="/api/v1/organisation/my", status=500, times=None)
    EmnifyHook().test_connection()
    assert sandbox.counts["GET /api/v1/organisation/my"] == 2


def test_test_connection_of_no_connection() -> None:
    worked, message = EmnifyHook("nowhere").test_connection()
    assert not worked
    assert "nowhere" in message


def test_secrets_are_masked_from_the_moment_they_are_known(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[str] = []
    monkeypatch.setattr(module, "mask", masked.append)
    with EmnifyHook() as hook:
        hook.get_conn()
        assert sandbox.application_token in masked
        hook.get_conn().organisations.my()
    assert set(sandbox.secrets) - {sandbox.password} <= set(masked)


def test_masked_means_masked_in_airflow_s_logs(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), EmnifyHook() as hook:
        hook.get_conn().organisations.my()
        hook.token_info()
    for secret in sandbox.secrets:
        assert secret not in caplog.text


def test_what_a_client_counts_goes_to_airflow_s_metrics(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: dict[str, int] = {}

    def incr(stat: str, count: int = 1, *, tags: dict[str, str]) -> None:
        assert isinstance(count, int)
        assert tags == {"emnify_conn_id": "emnify_default"}
        counted[stat] = counted.get(stat, 0) + count

    monkeypatch.setattr(module.Stats, "incr", incr, raising=False)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    sandbox.faults.add(path="/api/v1/organisation/my", status=503)
    with EmnifyHook() as hook:
        hook.get_conn().organisations.my()
    assert counted == {"emnify.authentications": 1, "emnify.requests": 3, "emnify.retries": 1}


def test_throttled_seconds_are_counted_whole_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[tuple[str, int]] = []
    monkeypatch.setattr(
        module.Stats, "incr", lambda stat, count, *, tags: counted.append((stat, count)), raising=False
    )
    for amount in (0.4, 0.4, 0.4, 2.75, 0.05):
        module.count("waits", "throttled_seconds", amount)
    assert counted == [("emnify.throttled_seconds", seconds) for seconds in (1, 2, 1)]


def test_both_forms_of_the_form_come_from_one_table() -> None:
    kinds: Any = PROVIDER_INFO["connection-types"]
    declared = kinds[0]
    assert list(declared["conn-fields"]) == [field.name for field in FIELDS]
    behaviour = EmnifyHook.get_ui_field_behaviour()
    assert declared["ui-field-behaviour"] == {
        "hidden-fields": behaviour["hidden_fields"],
        "relabeling": behaviour["relabeling"],
        "placeholders": behaviour["placeholders"],
    }
    assert declared["hook-name"] == EmnifyHook.hook_name
    assert declared["connection-type"] == EmnifyHook.conn_type


@pytest.mark.skipif(importlib.util.find_spec("flask_appbuilder") is None, reason="Airflow 3 has no WTForms")
def test_the_form_of_airflow_2_has_the_same_fields() -> None:
    widgets = EmnifyHook.get_connection_form_widgets()
    assert list(widgets) == [field.name for field in FIELDS]
    allowed = {"IntegerField", "PasswordField", "StringField"}
    assert {widget.field_class.__name__ for widget in widgets.values()} <= allowed


def test_the_hook_is_airflow_s() -> None:
    assert issubclass(EmnifyHook, BaseHook)
    for name in ("get_connection_form_widgets", "get_ui_field_behaviour"):
        assert name in EmnifyHook.__dict__  # Airflow looks at the class itself
