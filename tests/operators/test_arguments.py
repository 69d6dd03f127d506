"""Every argument of every operator: a bad value is refused when the DAG is parsed, with what is allowed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify import operators
from airflow_provider_emnify.airflow_names import DAG, AirflowException, BaseOperator
from airflow_provider_emnify.arguments import Argument
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.base.only_if import EndpointsOperator

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("endpoint", "quota", "sim", "sms", "tag")
"""Modules and packages of ``operators`` whose operators stand here."""

HERE = (
    EmnifyBaseOperator.__module__,
    EndpointsOperator.__module__,
    *(f"{operators.__name__}.{name}" for name in PACKAGES),
)

GOOD: dict[str, dict[str, Any]] = {
    "EmnifyAddTagsOperator": {"endpoint_ids": 7, "tags": "a"},
    "EmnifyAssignSimOperator": {"endpoint_ids": 7, "sim_ids": 8},
    "EmnifyBlockNetworkOperator": {"endpoint_ids": 7, "operator_ids": 2},
    "EmnifyCancelSmsOperator": {"sms_ids": "7/12"},
    "EmnifyClearQuotaOperator": {"endpoint_ids": 7},
    "EmnifyClearTrafficLimitExtensionsOperator": {"endpoint_ids": 7},
    "EmnifyCreateEndpointsOperator": {
        "endpoints": [{"name": "a"}],
        "service_profile_id": 1,
        "tariff_profile_id": 2,
    },
    "EmnifyDeleteEndpointsOperator": {"endpoint_ids": 7, "confirm": True},
    "EmnifyDeleteSimsOperator": {"sim_ids": 7, "confirm": True},
    "EmnifyExtendTrafficLimitOperator": {"endpoint_ids": 7, "volume": 5},
    "EmnifyLocateEndpointsOperator": {"endpoint_ids": 7},
    "EmnifyMigrateSimsOperator": {"target_workspace_id": 3},
    "EmnifyRegisterSimBatchOperator": {"bic": "8988"},
    "EmnifyReleaseSimOperator": {},
    "EmnifyRemoveTagsOperator": {"endpoint_ids": 7, "tags": "a"},
    "EmnifyResetConnectivityOperator": {"endpoint_ids": 7},
    "EmnifySendSmsOperator": {"endpoint_ids": 7, "text": "reboot"},
    "EmnifySetEndpointStatusOperator": {"endpoint_ids": 7, "status": "enabled"},
    "EmnifySetQuotaOperator": {"endpoint_ids": 7, "volume": 5, "expiry_date": "2030-01-01"},
    "EmnifySetSimStatusOperator": {"sim_ids": 7, "status": "activated"},
    "EmnifyTopUpQuotaOperator": {"endpoint_ids": 7, "volume": 5},
    "EmnifyUnblockNetworkOperator": {"endpoint_ids": 7, "operator_ids": 2},
    "EmnifyUpdateEndpointsOperator": {},
}
"""What each needs beside the argument that is bad."""

BESIDE: dict[str, dict[str, Any]] = {"EmnifyUpdateEndpointsOperator": {"endpoint_ids": 7}}
"""What an argument that is not there on its own needs, too."""

IDS = (
    ["seven", -1, True, 7.5, [7, None], {"name": 7}, b"7", timedelta(1), object],
    "; give a number, a list",
)
ONE_ID = (["gold", [1, 2], True, timedelta(1)], "; give ")
FLAG = (["maybe", 2, None, [True]], "; allowed: True, False")
TEXT = ([7.5, ["a"], True, b"a"], "; give one in quotes")
VOLUME = ([0, -1, "much", True, float("nan"), [5]], "; give one above 0")
MOMENT = (["tomorrow", 5, True, [2030]], "; give one in ISO 8601")
NAMES = ([7, {"a": 1}, ["a", 7], "['a'"], "; give 'a,b' or ['a', 'b']")
ICCIDS = (["8988", ["8988"], 7], "; give 19 or 20 digits")

BAD: dict[str, tuple[list[Any], str]] = {
    "allowed_sim_statuses": (["asleep", ["issued", 9]], "; allowed: issued, activated, suspended"),
    "auto_detach_devices": FLAG,
    "auto_refill": (["maybe", 2, [True]], "; allowed: True, False"),
    "bic": ([" ", 7.5, None], "; give one that is not empty"),
    "confirm": ([False, "True", 1, None], "; set confirm=True"),
    "create_missing": FLAG,
    "dest_address": TEXT,
    "dry_run": FLAG,
    "endpoint_ids": IDS,
    "endpoints": ([7, "pumps", [7], [[{"id": 7}]], timedelta(1)], "; give one dict for each"),
    "expiry_date": MOMENT,
    "fail_if_empty": FLAG,
    "fail_on_error": FLAG,
    "iccid_range": (["8988303000000012345,8988303000000012344"], "; give first and last ICCID"),
    "iccids": ICCIDS,
    "if_exists": (["update", "Skip", None, True], "; allowed: skip, fail"),
    "imei_lock": (["maybe", 2, [True]], "; allowed: True, False"),
    "ip_address_space_id": ONE_ID,
    "location": FLAG,
    "max_selected": ([0, -1, "many", True, None], "; give one above 0"),
    "only_if": (["asleep", 9, True, ["enabled"]], "; allowed: "),
    "operator_ids": IDS,
    "organisation_id": ONE_ID,
    "pdp_context": FLAG,
    "quota_type": (["voice", 1, None], "; allowed: data, sms"),
    "replace": FLAG,
    "select": ([{"colour": "red"}, {"staus": 1}, {}], "; allowed: id, "),
    "service_profile_id": ONE_ID,
    "sim_ids": IDS,
    "sim_status": (["actived", 9, True, [1], 1.0], "; allowed: "),
    "sims": (["keep", "Suspend", None], "; allowed: suspend, delete, release"),
    "sms_ids": (["7", 7, [12], "a/b"], "; give OWNER/ID"),
    "source_address": (["a name that is too long", True, 7.5, "Ω" * 12], ""),
    "status": (["enabeld", "deleted", 9, True, None], "; allowed: "),
    "tag_ids": IDS,
    "target_workspace_id": ONE_ID,
    "tariff_profile_id": ONE_ID,
    "text": (["", None, 7, ["reboot"]], "; give one that is not empty"),
    "threshold_percentage": ([0, 101, "half"], "; give "),
    "threshold_volume": VOLUME,
    "traffic_limit_id": ONE_ID,
    "volume": VOLUME,
    "wait_for_completion": FLAG,
}
"""Bad values of each argument, and what the message says of those that are allowed."""

ELSEWHERE: dict[tuple[str, str], tuple[list[Any], str]] = {
    ("EmnifyUpdateEndpointsOperator", "status"): (["enabeld", "deleted"], "; allowed: enabled, disabled"),
    ("EmnifyUpdateEndpointsOperator", "tags"): TEXT,
    ("EmnifyAddTagsOperator", "tags"): NAMES,
    ("EmnifyRemoveTagsOperator", "tags"): NAMES,
}
"""Where an argument of this name is another one."""

ROWS: list[tuple[str, dict[str, Any], str]] = [
    ("EmnifyCreateEndpointsOperator", {"nmae": "a"}, "allowed: activate_sim, iccid, imei, imei_lock, "),
    ("EmnifyCreateEndpointsOperator", {"name": ["a"]}, "endpoints: name: ['a'] is not a valid text; give"),
    ("EmnifyCreateEndpointsOperator", {"sim_id": "x"}, "endpoints: sim_id: 'x' is not a valid id; give"),
    (
        "EmnifyCreateEndpointsOperator",
        {"sim_id": 1, "sim_status": "suspended"},
        "endpoints: sim_status: 'suspended' is not a valid SIM status; allowed: activated, factory_test",
    ),
    (
        "EmnifyCreateEndpointsOperator",
        {"sim_id": 1, "activate_sim": "perhaps"},
        "endpoints: activate_sim: 'perhaps' is not valid; allowed: True, False",
    ),
    ("EmnifyUpdateEndpointsOperator", {"id": "x", "name": "a"}, "endpoints: id: 'x' is not a valid id; give"),
    (
        "EmnifyUpdateEndpointsOperator",
        {"id": 7, "status": "on"},
        "endpoints: status: 'on' is not a valid endpoint status; allowed: enabled, disabled",
    ),
    ("EmnifyUpdateEndpointsOperator", {"id": 7, "staus": 1}, "endpoints: unknown staus in "),
]
"""Bad rows, and what the message says."""


def _operators() -> Iterator[type[EmnifyBaseOperator]]:
    for module in pkgutil.walk_packages(operators.__path__, f"{operators.__name__}."):
        if module.name.split(".")[2] in PACKAGES:
            for name, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
                if issubclass(found, EmnifyBaseOperator) and name.startswith("Emnify"):
                    yield found


def bases(kind: type) -> list[type]:
    """Return a class and those bases of it that stand here, without those that wait."""
    return [base for base in kind.__mro__ if base.__module__.startswith(HERE)]


KINDS = {
    kind.__name__: kind for kind in _operators() if kind in bases(kind) and kind is not EmnifyBaseOperator
}


def parameters(kind: type) -> set[str]:
    """Return the names of the arguments that a class has beside the connection and what a wait takes."""
    signatures = [inspect.signature(base).parameters.values() for base in bases(kind)]
    named = {one.name for some in signatures for one in some if one.kind is inspect.Parameter.KEYWORD_ONLY}
    return named - {"emnify_conn_id"}


def declared(kind: type) -> set[str]:
    """Return the names of the arguments that a class declares."""
    found = [one for base in kind.__mro__ for one in vars(base).values() if isinstance(one, Argument)]
    return {str(argument.field) for argument in found}


CASES = [
    pytest.param(name, field, value, says, id=f"{name}-{field}-{value!r}")
    for name, kind in KINDS.items()
    for field in sorted(parameters(kind))
    for values, says in [ELSEWHERE.get((name, field)) or BAD[field]]
    for value in values
]


def test_no_operator_is_forgotten() -> None:
    assert GOOD.keys() == KINDS.keys()


@pytest.mark.parametrize("name", GOOD)
def test_each_argument_is_declared(name: str) -> None:
    assert parameters(KINDS[name]) <= declared(KINDS[name])


@pytest.mark.parametrize(("name", "field", "value", "says"), CASES)
def test_a_bad_value_is_refused_when_the_dag_is_parsed(name: str, field: str, value: Any, says: str) -> None:
    given = {**GOOD[name], **({} if field in {"endpoint_ids", "endpoints"} else BESIDE.get(name, {}))}
    if field == "select":
        given = {key: item for key, item in given.items() if key not in ALONE}
    with pytest.raises(ValueError, match=f"^{field}: ") as caught:
        KINDS[name](task_id="t", **{**given, field: value})
    assert says in str(caught.value)
    shown = value[-1] if isinstance(value, list) else value
    assert field in {"confirm", "select"} or repr(shown).strip("'") in str(caught.value)


@pytest.mark.parametrize(("name", "row", "says"), ROWS)
def test_a_bad_row_is_refused_when_the_dag_is_parsed(name: str, row: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r"^endpoints: ") as caught:
        KINDS[name](task_id="t", **{**GOOD[name], "endpoints": [row]})
    assert says in str(caught.value)


@pytest.mark.parametrize("name", GOOD)
def test_an_argument_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises((TypeError, AirflowException), match="endpoint_idz"):
        KINDS[name](task_id="t", **{**GOOD[name], **BESIDE.get(name, {}), "endpoint_idz": 7})


ALONE = {"endpoint_ids", "endpoints", "sim_ids", "iccids", "iccid_range"}
LATER = [(name, field) for name, kind in KINDS.items() for field in sorted(parameters(kind))]


@pytest.mark.parametrize(("name", "field"), LATER)
def test_what_is_known_later_is_taken_where_airflow_renders_it(name: str, field: str) -> None:
    kind, given = KINDS[name], {**GOOD[name]}
    if name == "EmnifyUpdateEndpointsOperator":
        given |= {"tags": "a"} if field in {"endpoint_ids", "select"} else {}
        given |= {} if field in ALONE else {"endpoint_ids": 7}
    if name == "EmnifyMigrateSimsOperator" and field not in ALONE:
        given["sim_ids"] = 7
    if field == "select":
        given = {key: item for key, item in given.items() if key not in ALONE}
    with DAG("fleet", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC)):
        output = BaseOperator(task_id="first").output
        for number, later in enumerate((output, "{{ params.x }}")):
            if field in kind.template_fields:
                task = kind(task_id=f"t{number}", **{**given, field: later})
                assert getattr(task, field) is later
                assert task.upstream_task_ids == ({"first"} if later is output else set())
            else:
                with pytest.raises(ValueError, match=f"^{field}: "):
                    kind(task_id=f"t{number}", **{**given, field: later})


ID_ARGUMENTS = [
    (name, field)
    for name, kind in KINDS.items()
    for field in kind.declared
    if field.endswith(("_id", "_ids")) and not field.endswith("conn_id") and field != "sms_ids"
]


@pytest.mark.parametrize(("name", "field"), ID_ARGUMENTS)
def test_an_id_is_taken_in_every_form(name: str, field: str) -> None:
    parse = KINDS[name].declared[field].parse
    for form in (
        "7",
        Decimal(7),
        Decimal("7.0"),
        7.0,
        {"id": 7},
        {"id": "7", "name": "x"},
        [7],
        [[7]],
        [(7,)],
    ):
        assert parse(form, field) == parse(7, field)
