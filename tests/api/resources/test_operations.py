"""Each of the 214 operations: there is a method, and its request is the one that emnify describes."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.resources import RESOURCES, Resources, operations_of
from airflow_provider_emnify.api.resources.operation import Call, Operation, Resource, operation
from airflow_provider_emnify.api.transport.answers import Shape
from tests.api.resources import openapi
from tests.api.resources.recorder import Recorder, Sent
from tests.api.resources.samples import LEAST, ONE_OF, joined, samples
from tests.api.support import Missing, Scalar

if TYPE_CHECKING:
    from airflow_provider_emnify.api.types import Row

CALLS = {
    f"{name}.{method}": (getattr(resource, method), found)
    for name, resource in RESOURCES.items()
    for method, found in operations_of(resource).items()
}
each_call = pytest.mark.parametrize("call", CALLS)

# What a request has that emnify's description does not, and why.
UNDESCRIBED = {
    "api_secrets.create": {"secret"},  # the description shows the record that is read, not what is written
    "sims.daily_stats": {"start_date", "end_date"},  # in the description's text only
}

# Bodies that cannot be held against the description, and why.
UNCHECKED = {
    "endpoints.reset_connectivity": "null matches both of 'any type' and 'null', of which it allows one only",
}


def make(call: str, arguments: dict[str, Any]) -> Sent:
    """Call a method and return the request of its operation; all others must be reads."""
    client = Recorder([{"id": 1, "name": "other"}])
    resource, _, method = call.partition(".")
    answer = getattr(getattr(client, resource), method)(**arguments)
    if isinstance(answer, Iterator):
        list(answer)
    declared = CALLS[call][1]
    own = [one for one in client.sent if (one.method, one.path) == (declared.method, declared.path)]
    others = [one for one in client.sent if one not in own]
    assert len(own) == 1
    assert all(one.method == "GET" for one in others)
    return own[0]


def full_calls(call: str) -> list[dict[str, Any]]:
    """All arguments at once, once for each of those that exclude each other."""
    values = {name: first for name, (first, _) in samples(call, CALLS[call][0]).items()}
    choices = ONE_OF.get(call)
    if choices is None:
        return [values]
    return [
        {name: value for name, value in values.items() if name == choice or name not in choices}
        for choice in choices
    ]


def test_there_is_a_method_for_each_operation() -> None:
    described = set(openapi.operations())
    assert len(described) == 214
    assert {(found.method, found.path) for _, found in CALLS.values()} == described


@each_call
def test_no_argument_is_lost(call: str) -> None:
    both = samples(call, CALLS[call][0])
    for arguments in full_calls(call):
        request = make(call, arguments)
        for name in arguments:
            other = make(call, {**arguments, name: both[name][1]})
            assert other != request, f"{name} changes nothing"


@each_call
def test_plain_values_arrive_as_they_are(call: str) -> None:
    for arguments in full_calls(call):
        request = make(call, arguments)
        wire = joined([request.path_params, request.params, request.json])
        for name, value in arguments.items():
            if isinstance(value, (int, str)) and not isinstance(value, bool) and re.search(r"\d", str(value)):
                assert str(value) in re.split(r"[|,:]", wire), name


@each_call
def test_the_request_is_as_described(call: str) -> None:
    declared = CALLS[call][1]
    described = openapi.operations()[declared.method, declared.path]
    undescribed = UNDESCRIBED.get(call, set())
    for arguments in full_calls(call):
        request = make(call, arguments)

        assert set(request.path_params) == set(openapi.parameters(described, "path"))

        query = openapi.parameters(described, "query")
        assert set(request.params) - undescribed <= set(query)
        assert {name for name, one in query.items() if one.get("required")} <= set(request.params)
        for name, value in request.params.items():
            allowed = query.get(name, {}).get("schema", {}).get("enum")
            assert allowed is None or str(value) in allowed

        schema = openapi.body_schema(described)
        assert (request.json is None) == (schema is None)
        if schema is not None and call not in UNCHECKED:
            assert openapi.complaints(schema, request.json, partial=declared.method == "PATCH") == []
            assert set(openapi.unknown_fields(schema, request.json)) <= undescribed


@each_call
def test_paged_is_what_takes_a_page(call: str) -> None:
    declared = CALLS[call][1]
    described = openapi.operations()[declared.method, declared.path]
    assert declared.paged == ("page" in openapi.parameters(described, "query"))


@each_call
def test_what_is_not_given_is_not_sent(call: str) -> None:
    method = CALLS[call][0]
    both = samples(call, method)
    parameters = inspect.signature(method).parameters
    least = {
        name: both[name][0]
        for name, parameter in parameters.items()
        if name != "self" and (parameter.default is parameter.empty or name in LEAST.get(call, ()))
    }
    request = make(call, least)
    wire = joined([request.path_params, request.params, request.json or ()])
    assert "UNSET" not in wire
    if call != "endpoints.reset_connectivity":  # which sends null to reset
        assert "None" not in wire.split("|")


@each_call
def test_the_docstring_names_the_page_of_the_vendor_and_each_parameter(call: str) -> None:
    method, declared = CALLS[call]
    described = openapi.operations()[declared.method, declared.path]
    text = inspect.getdoc(method) or ""
    page = f"https://docs.emnify.com/developers/api/{described['operationId']}"
    assert f"See {page}" in text.splitlines()
    documented = set(re.findall(r":param (\w+):", text))
    assert documented == set(inspect.signature(method).parameters) - {"self"}


def test_the_signature_hides_the_call() -> None:
    signature = inspect.signature(Recorder().users.get)
    assert list(signature.parameters) == ["user_id"]
    with pytest.raises(TypeError, match="unexpected keyword argument 'nobody'"):
        signature.bind(7, nobody=1)


def test_the_declaration_is_on_the_method() -> None:
    declared = Operation("GET", "/api/v1/user/{user_id}", shape=Shape("object", int))
    assert Recorder().users.get.operation == declared  # type: ignore[attr-defined]


def test_every_resource_is_an_attribute_of_the_client() -> None:
    client = Recorder()
    assert set(Resources.__annotations__) == set(RESOURCES)
    assert {name: type(getattr(client, name)) for name in RESOURCES} == RESOURCES
    assert client.endpoints is client.endpoints
    with pytest.raises(AttributeError, match="'Recorder' object has no attribute 'endpoint'"):
        _ = client.endpoint  # type: ignore[attr-defined]


def test_nothing_but_an_id_goes_into_a_path() -> None:
    client = Recorder()
    for value in (None, True):
        with pytest.raises(ValueError, match="endpoint_id"):
            client.endpoints.delete(value)  # type: ignore[arg-type]
    assert client.sent == []


@pytest.mark.parametrize(
    "call",
    [
        "application_tokens.create",
        "api_secrets.create",
        "api_secrets.get",
        "authentication.authenticate",
        "cloud_connect.get",
        "data_streams.get",
        "data_streams.list",
        "mfa.create_key",
        "users.create_support_token",
        "users.change_password",
        "workspaces.switch",
    ],
)
def test_what_holds_a_secret_says_so(call: str) -> None:
    assert CALLS[call][1].secret


def test_the_secrets_among_arguments_are_learned_and_a_url_stays_readable() -> None:
    client = Recorder()
    client.cloud_connect.create_vpn(name="n", public_ip="192.0.2.1", on_prem_cidr=["10.0.0.0/8"], psk="key.1")
    credentials = {"api_key": "key-2", "headers": ["x: key-3", "y: key-4"], "url": "https://example.org/in"}
    client.data_streams.update("s", destination={"connection_type": "RestAPI", "credentials": credentials})
    client.euiccs.schedule_operations(7, [{"action_id": 1, "activation_code": "LPA:1$key-5"}])
    client.api_callbacks.create(url="https://example.org/sms")
    assert client.secrets == ["key.1", "key-2", "x: key-3", "y: key-4", "LPA:1$key-5"]


def test_a_list_that_is_not_paged_asks_for_no_page_and_only_when_it_is_read() -> None:
    client = Recorder([{"id": 1}, {"id": 2}])
    rows = client.sms.list(7)
    assert client.sent == []
    assert [row["id"] for row in rows] == [1, 2]
    assert client.sent == [Sent("GET", "/api/v1/endpoint/{endpoint_id}/sms", {"endpoint_id": 7})]


@pytest.mark.parametrize(
    ("call", "arguments", "body"),
    [
        ("endpoints.update", {"endpoint_id": 1, "sim_id": None}, {"sim": {"id": None}}),
        (
            "endpoints.update_many",
            {"endpoints": [{"id": 1, "sim_id": None}]},
            [{"id": 1, "sim": {"id": None}}],
        ),
        ("sims.update", {"sim_id": 1, "customer_org_id": None}, {"customer_org": {"id": None}}),
        ("service_profiles.update", {"profile_id": 1, "api_secret_id": None}, {"api_secret": {"id": None}}),
    ],
)
def test_none_empties_what_can_be_empty(call: str, arguments: Row, body: Any) -> None:
    assert make(call, arguments).json == body


@pytest.mark.parametrize("call", sorted(call for call in CALLS if CALLS[call][1].known_by))
def test_what_a_thing_is_known_by_is_for_emnify_to_ask_for(call: str) -> None:
    arguments = {name: first for name, (first, _) in samples(call, CALLS[call][0]).items()}
    for name in CALLS[call][1].known_by:
        assert make(call, {**arguments, name: None}).json.get(name) is None


@pytest.mark.parametrize(
    ("call", "arguments", "body"),
    [
        ("quotas.set_data", {"volume": Scalar(7)}, {"volume": 7}),
        ("traffic_limits.extend", {"volume": Scalar(7)}, {"volume": 7}),
        ("cloud_connect.create_vpn", {"on_prem_cidr": ("a", "b")}, {"on_prem_cidr": ["a", "b"]}),
        ("sms.send", {"dcs": Scalar(7)}, {"dcs": 7}),
    ],
)
def test_numbers_and_lists_of_other_libraries_go_out_as_json_has_them(
    call: str, arguments: Row, body: Row
) -> None:
    values = {name: first for name, (first, _) in samples(call, CALLS[call][0]).items()}
    sent = make(call, {**values, **arguments}).json
    assert {name: sent[name] for name in body} == body
    assert json.loads(json.dumps(sent)) == sent


@pytest.mark.parametrize(
    ("given", "activate"),
    [
        *((yes, True) for yes in (True, 1, Decimal(1), "True")),
        *((no, False) for no in (False, "False", "", None)),
    ],
)
def test_a_new_endpoint_always_says_whether_its_sim_is_activated(given: Any, activate: bool) -> None:
    profiles = {"service_profile_id": 1, "tariff_profile_id": 2}
    one = make("endpoints.create", {**profiles, "sim_id": "3", "activate_sim": given or False})
    assert one.json["sim"] == {"id": 3, "activate": activate}
    for text in (given, str(given)):
        rows = [{"sim_id": 3, "activate_sim": text}]
        many = make("endpoints.create_many", {**profiles, "endpoints": rows})
        assert many.json["endpoints"] == [{"sim": {"id": 3, "activate": activate}}]
    silent = make("endpoints.create_many", {**profiles, "endpoints": [{"sim_id": 3}]})
    assert silent.json["endpoints"] == [{"sim": {"id": 3, "activate": False}}]


@pytest.mark.parametrize(
    ("call", "arguments", "message"),
    [
        ("endpoints.create_many", {"endpoints": [{"nmae": "x"}]}, "nmae"),
        ("endpoints.create_many", {"endpoints": [{"activate_sim": True}]}, "sim_id"),
        ("endpoints.create_many", {"endpoints": [{"sim_id": 1, "activate_sim": "maybe"}]}, "'maybe'"),
        ("endpoints.create_many", {"endpoints": [{"sim_id": 1, "activate_sim": math.nan}]}, "nan"),
        ("endpoints.create_many", {"endpoints": [{"sim_id": 1, "activate_sim": Missing()}]}, "activate_sim"),
        ("endpoints.create_many", {"endpoints": [{}, 7]}, "endpoints: this is not a list of objects"),
        ("endpoints.create_many", {"endpoints": [{}, {"name": math.nan}]}, "name: nan is not a valid number"),
        ("endpoints.update_many", {"endpoints": [{"id": 1, "name": math.inf}]}, "name: inf is not a valid"),
        ("quotas.set_data", {"volume": math.inf}, "volume: inf is not a valid number"),
        ("endpoints.update_many", {"endpoints": [{"name": "x"}]}, "no id"),
        ("endpoints.update_many", {"endpoints": 7}, "endpoints: this is not a list of objects"),
        ("endpoints.update_many", {"endpoints": [{"id": 1, "activate_sim": True}]}, "activate_sim"),
        ("endpoints.update_many", {"endpoints": [{"id": 1, "sim_id": None, "sim_status": 2}]}, "sim_status"),
        ("endpoints.reset_connectivity", {"location": False, "pdp_context": False}, "both"),
        ("euiccs.schedule_operations", {"operations": [{"action": 1}]}, "action"),
        ("euiccs.schedule_operations", {"operations": ["x"]}, "operations: this is not a list of objects"),
        ("tags.assign_many", {"items": [{"endpoint_id": 1}]}, "tag_ids"),
        ("tags.unassign_many", {"items": [None]}, "items: this is not a list of objects"),
        ("traffic_limits.extend", {"traffic_limit_id": 1.5}, "traffic_limit_id: 1.5"),
        ("sims.migrate", {"sim_ids": [1], "iccids": ["1"]}, "exactly one"),
        ("sims.migrate", {"sim_ids": [*range(501)]}, "500"),
        ("sims.migrate", {"iccid_range": "8988303000000000001"}, "iccid_range"),
        ("sims.migrate", {"iccid_range": ["8988303000000000001"]}, "iccid_range"),
        ("automations.create", {"custom_event_id": None}, "custom_event_id"),
        ("sim_operations.trigger", {"eids": []}, "eids"),
        ("users.update", {"status": "gone"}, "activation_pending"),
        ("users.create", {"organisation_id": [1, 2]}, "organisation_id"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    call: str, arguments: Row, message: str
) -> None:
    method = CALLS[call][0]
    both = samples(call, method)
    parameters = inspect.signature(method).parameters
    least = {
        name: both[name][0]
        for name, parameter in parameters.items()
        if name != "self" and parameter.default is parameter.empty
    }
    client = Recorder([])
    resource, _, name = call.partition(".")
    with pytest.raises(ValueError, match=message):
        getattr(getattr(client, resource), name)(**{**least, **arguments})
    assert client.sent == []


@pytest.mark.parametrize(
    ("call", "arguments"), [("euiccs.validate_unlinked", {}), ("sim_operations.trigger", {"action_id": 1})]
)
def test_one_eid_may_be_given_as_a_text(call: str, arguments: Row) -> None:
    eid = "89033023001211360000000000012345"
    assert make(call, {**arguments, "eids": eid}).json["target"] == [{"eid": eid}]


@pytest.mark.parametrize("dry_run", [True, False])
def test_only_a_dry_run_of_a_migration_may_be_sent_twice(dry_run: bool) -> None:
    request = make("sims.migrate", {"sim_ids": [1], "target_workspace_id": 2, "dry_run": dry_run})
    assert request.json["dry_run"] is dry_run
    assert request.idempotent is dry_run


def test_arguments_that_a_method_does_not_take_are_refused_before_anything_is_sent() -> None:
    client = Recorder()
    calls: list[tuple[Any, tuple[Any, ...], Row]] = [
        (client.users.get, (7,), {"nobody": 1}),
        (client.users.get, (7, 8), {}),
        (client.users.get, (), {}),
        (client.endpoints.list, (), {"stauts": "enabled"}),
        (client.tags.assign_many, (), {}),
    ]
    for method, arguments, keywords in calls:
        with pytest.raises(TypeError, match=method.__name__):
            method(*arguments, **keywords)
    assert client.sent == []


NOTHING = [call for call, (method, _) in CALLS.items() if method.__annotations__["return"] == "None"]


@pytest.mark.parametrize("call", NOTHING)
def test_what_returns_nothing_does_so_whatever_the_answer_holds(call: str) -> None:
    resource, _, method = call.partition(".")
    for arguments in full_calls(call):
        assert getattr(getattr(Recorder({"id": 1}), resource), method)(**arguments) is None


def test_an_operation_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CALLS["users.get"][1].path = "/elsewhere"  # type: ignore[misc]


def test_a_resource_of_ones_own_is_declared_the_same_way() -> None:
    class Things(Resource):
        @operation("GET", "/api/v9/thing/{thing_id}", idempotent=False)
        def get(self, call: Call, thing_id: int, *, deep: bool = False) -> Any:
            """Return a thing."""
            return call.request(params={"deep": deep, "not": None})

    client = Recorder({"id": 5})
    things = Things(client)  # type: ignore[arg-type]
    assert things.get(5, deep=True) == {"id": 5}
    assert client.sent == [
        Sent("GET", "/api/v9/thing/{thing_id}", {"thing_id": 5}, {"deep": True}, None, False)
    ]
    declared = Operation("GET", "/api/v9/thing/{thing_id}", idempotent=False, shape=Shape("either"))
    assert operations_of(Things) == {"get": declared}
    assert Things.get.__doc__ == "Return a thing."
