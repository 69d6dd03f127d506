"""Each argument of each operator and sensor: what is wrong is refused when the DAG is parsed, and why."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_emnify import operators, sensors, transfers
from airflow_provider_emnify.airflow_names import BaseOperator, BaseSensorOperator
from tests.operators.test_arguments import FLAG, IDS, ONE_ID
from tests.operators.test_as_airflow_does import EACH, rendered
from tests.sensors.test_each_sensor import CASES

WRONG = b"no"  # neither id nor text nor number nor dict
AIRFLOW_S = {*inspect.signature(BaseOperator).parameters, *inspect.signature(BaseSensorOperator).parameters}
BASES = re.compile(r"\.base(\.|$)|\.rows$")


def every_class() -> dict[str, Any]:
    """Return the public operators and sensors of all modules, by name."""
    found: dict[str, Any] = {}
    for package in (operators, sensors, transfers):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            classes = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
            found |= {name: kind for name, kind in classes if issubclass(kind, BaseOperator)}
    return {
        name: kind
        for name, kind in sorted(found.items())
        if name.startswith("Emnify") and not BASES.search(kind.__module__)
    }


KINDS = every_class()
VALID: dict[str, dict[str, Any]] = {
    **{kind.__name__: {**shared, field: rendered(template)} for kind, shared, field, template, _ in EACH},
    "EmnifyToSqlOperator": {"stream": "events", "sql_conn_id": "db"},
    "EmnifyToObjectStorageOperator": {"stream": "events", "path": "/tmp/emnify"},
    "EmnifyDataStreamFilesToSqlOperator": {"path": "/tmp/emnify", "sql_conn_id": "db"},
    "EmnifyDataStreamFilesToObjectStorageOperator": {"path": "/tmp/emnify", "target_path": "/tmp/lake"},
    **{case.sensor.__name__: dict(case.arguments) for case in CASES},
}
INSTEAD: dict[tuple[str, str], dict[str, Any]] = {  # for what excludes another argument
    ("EmnifyReleaseSimOperator", "endpoint_ids"): {},
    ("EmnifyMigrateSimsOperator", "iccids"): {"target_workspace_id": 3},
    ("EmnifyMigrateSimsOperator", "iccid_range"): {"target_workspace_id": 3},
    ("EmnifyPlanFleetOperator", "path"): {"plan_path": "/tmp/plan.jsonl"},
    ("EmnifyPlanFleetOperator", "sql"): {"plan_path": "/tmp/plan.jsonl", "sql_conn_id": "db"},
    ("EmnifyPlanFleetOperator", "sql_conn_id"): {"plan_path": "/tmp/plan.jsonl", "sql": "SELECT 1"},
}
ALLOWED = re.compile("; (give |allowed: |set |it has |an eID has )|neither .* nor ")
MAY_BE_SECRET = {"arguments", "destination", "variables", "activation_code"}


def arguments(name: str) -> list[str]:
    """Return the names of a class's own arguments, its bases' among them."""
    own = [base for base in KINDS[name].__mro__ if base.__module__.startswith("airflow_provider_emnify.")]
    inits = [vars(base)["__init__"] for base in own if "__init__" in vars(base)]
    names = dict.fromkeys(field for init in inits for field in inspect.signature(init).parameters)
    return [field for field in names if field not in {*AIRFLOW_S, "self", "args", "kwargs"}]


ARGUMENTS = [(name, field) for name in KINDS for field in arguments(name)]
each = pytest.mark.parametrize(("name", "field"), ARGUMENTS)


def make(name: str, /, **more: Any) -> None:
    given = next((INSTEAD[name, field] for field in more if (name, field) in INSTEAD), VALID[name])
    KINDS[name](task_id="t", **{**given, **more})


def test_no_class_is_forgotten() -> None:
    assert KINDS.keys() == VALID.keys()
    assert len(ARGUMENTS) > 250


@each
def test_a_value_of_a_wrong_type_is_refused_with_what_is_allowed(name: str, field: str) -> None:
    with pytest.raises(ValueError, match=rf"\b{field}: ") as caught:
        make(name, **{field: WRONG})
    message = str(caught.value)
    assert str(WRONG) in message or field in MAY_BE_SECRET
    assert ALLOWED.search(message)


@each
def test_a_name_with_a_typo_is_refused_with_the_right_one(name: str, field: str) -> None:
    typo = re.escape(f"unknown argument '{field}x' (did you mean '{field}'?)")
    with pytest.raises(TypeError, match=f"^{name}: {typo}"):
        make(name, **{f"{field}x": 1})


SECONDS = ([-1, "soon", True, [5]], "; give ")
NAME = ([" ", 7.5, None, True], "; give one that is not empty")
TEXT = ([7.5, True, ["a"]], "; give one that is not empty")
BAD: dict[str, tuple[list[Any], str]] = {
    "action": (["", " - ", True, None, [1]], "neither an id nor a name"),
    "activation_code": TEXT,
    "all_pages": TEXT,
    "allow_partial": FLAG,
    "arguments": ([7, [1], "x"], "; give arguments by name"),
    "asn": ONE_ID,
    "attachment_id": NAME,
    "attachment_ids": (["a b", True, {"name": 7}], "; give "),
    "aws_account_id": ([123, "12345678901x", True], "; it has 12 digits"),
    "bics": (["a b", True, {"name": 7}], "; give "),
    "call": (["users.crate", "users", 7, None], "call: there is no"),
    "cancel_on_kill": FLAG,
    "confirm": ([False, "True", 1, None], "; set confirm=True"),
    "credentials_conn_id": TEXT,
    "data_stream_id": NAME,
    "data_stream_ids": (["a b", True, {"name": 7}], "; give "),
    "data_stream_type_id": ONE_ID,
    "deferrable": FLAG,
    "description": TEXT,
    "destination": ([7, "S3", {"connection_type": "FTP"}, {"bucket": "b"}], "destination: "),
    "eids": (["8904", [7]], "; an eID has 32 digits"),
    "emnify_conn_id": NAME,
    "enable": (["maybe", 2, [True]], "; allowed: True, False"),
    "endpoint_ids": IDS,
    "euicc_ids": IDS,
    "event_type": ([-1, 1.5, True, [None]], "neither the number nor the name of an event type"),
    "fail_if_empty": FLAG,
    "fail_on_blocked": FLAG,
    "fail_on_error": FLAG,
    "filters": ([7, [7], [{"name": "x"}], [{"field": "sim"}]], "filters: "),
    "iccid_with_luhn": (["89-49", 7, True], "; give its digits"),
    "idempotent": (["maybe", 2, [True]], "; allowed: True, False"),
    "if_exists": (["replace", "Skip", None, True], "; allowed: "),
    "inside_cidr": (["somewhere", 7, [], ["10.0.0.1/16"]], "not a valid address range"),
    "matches": (["(", 7], "; give "),
    "max_selected": ([0, -1, "many", True, None], "; give one above 0"),
    "select": ([{"colour": "red"}, {"staus": 1}, {}], "; allowed: id, "),
    "max_rows": ([0, -5, "many", True, 2.5], "; give one above 0"),
    "name": TEXT,
    "not_online_for": ([0, 721, "x", True, timedelta(0)], "not_online_for: "),
    "on_prem_cidr": (["somewhere", 7, [], ["10.0.0.1/16"], ["10.0.0.0/8"] * 4], "address range"),
    "on_timeout": (["ignore", None, True], "; allowed: fail, return"),
    "only_if": (["on", "deleted", 1, True, ["blocked"]], "; allowed: "),
    "operation_ids": ([True, {"name": 7}], "operation_ids: "),
    "organisation_id": ONE_ID,
    "poll_interval": SECONDS,
    "product_id": ONE_ID,
    "psk_conn_id": TEXT,
    "public_ip": (["example.org", 7, "10.8.0.0/16"], "; give one like 203.0.113.7"),
    "query": (["", None, 7], "; give one that is not empty"),
    "quota_type": (["voice", 1, None], "; allowed: data, sms"),
    "region": TEXT,
    "relation_resolution": ([object, {1, 2}], "; give what JSON can hold"),
    "replace": FLAG,
    "role_ids": IDS,
    "rollback": (["maybe", 2, [True]], "; allowed: True, False"),
    "severity": (["awful", 9, [1, "x"]], "; allowed: info, warn, critical"),
    "sim_ids": IDS,
    "since": (["lunch", 5, True], "; give "),
    "sms_ids": (["7", 7, [12], "a/b"], "; give OWNER/ID"),
    "source": (["moon", 9, [1, "x"]], "; allowed: network, policy_control, api"),
    "status": (["activ", 9, True, [1]], "; allowed: "),
    "tags": ([3, True, ["a", 7]], "; give "),
    "target_status": (["activ", 7.5, [], [True]], "target_status: "),
    "timeout": SECONDS,
    "type": (["VPN", 1, None], "; allowed: tgw, vpn, vpn_bgp"),
    "user_id": (["Ada", [7, 8], True], "; give "),
    "user_ids": (["Ada", [7, "x"], True], "; give "),
    "username": ([7, "7", "Ada", "a b@example.org", True, ["a@example.org"]], "; give an email address"),
    "validity_period": ([0, -1, "soon", True, timedelta(0)], "; give 1 or more"),
    "variables": ([7, "x", [1]], "; give values by name"),
    "vpc_cidr": (["somewhere", 7, [], ["10.0.0.1/16"]], "not a valid address range"),
    "wait_for": (["some", None, True], "; allowed: all, any"),
    "wait_for_completion": FLAG,
}
HERE = re.compile(r"emnify\.(operators\.(user|euicc|data_stream|cloud_connect|emnify|graphql)|sensors)\b")
ROWS = [
    pytest.param(name, field, value, *BAD[field][1:], id=f"{name}-{field}-{value!r}")
    for name, field in ARGUMENTS
    if HERE.search(KINDS[name].__module__)
    for value in BAD[field][0]
]


@pytest.mark.parametrize(("name", "field", "value", "says"), ROWS)
def test_a_bad_value_is_refused_with_what_is_allowed(name: str, field: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=rf"\b{field}: ") as caught:
        make(name, **{field: value})
    assert says in str(caught.value)
