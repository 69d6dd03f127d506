"""Made-up arguments for any method of a resource: two of each, so that a change can be seen on the wire."""

from __future__ import annotations

import inspect
import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api import enums

if TYPE_CHECKING:
    from collections.abc import Callable

_PROPERTY = {"property": "p", "value": "v", "value_array": ["a"]}
_ENDPOINT: dict[str, Any] = {
    "name": "tracker-1",
    "tags": "a,b",
    "imei": "3566778899001122",
    "imei_lock": True,
    "ip_address": "10.0.0.1",
    "sim_id": 71,
    "sim_status": "activated",
}
_CHANGE = {
    **_ENDPOINT,
    "id": 81,
    "status": "disabled",
    "service_profile_id": 82,
    "tariff_profile_id": 83,
    "ip_address_space_id": 84,
}

# By the name of the method and the argument, or of the argument alone: an argument and another one.
TABLE: dict[str, tuple[Any, Any]] = {
    "endpoints.create.activate_sim": (False, True),
    "endpoints.create_many.endpoints": ([{**_ENDPOINT, "activate_sim": False}], [{"name": "tracker-2"}]),
    "endpoints.update_many.endpoints": ([_CHANGE], [{"id": 85, "name": "tracker-3"}]),
    "euiccs.schedule_operations.operations": ([{"action_id": 1, "enable": True}], [{"action_id": 2}]),
    "sims.migrate.iccid_range": (("8988303000000000001", "8988303000000000009"), ("1", "2")),
    "service_profiles.add_data_limit.service_id": (38, 39),
    "service_profiles.add_data_limit.period_id": (2, 3),
    "sims.list.assigned": (None, False),
    "users.create_support_token.role_id": (1, 3),
    "cloud_connect.list.status": (5, 6),
    "cloud_connect.list.type": (2, 3),
    "cloud_connect.create_vpn.type_id": (2, 3),
    "action_on_exhaustion_id": (1, 2),
    "configuration_properties": ([_PROPERTY], []),
    "configured_actions": ([{"action": {"id": "a", "type": "t"}, "properties": [_PROPERTY]}], []),
    "targeting_properties": ([_PROPERTY], []),
    "destination": (
        {"connection_type": "S3", "credentials": {"region": "r", "bucket_name": "b", "role_arn": "a"}},
        {"connection_type": "Datadog", "credentials": {"api_key": "k"}},
    ),
    "data_streams.filters": ([{"field": "f", "value": ["v"]}], []),
    "trusted_device": ({"fingerprint": "f", "name": "n"}, {"fingerprint": "g"}),
    "relation_resolution": ("x", "y"),
    "items": ([{"endpoint_id": 91, "tag_ids": [92, 93]}], [{"endpoint_id": 91, "tag_ids": [92]}]),
    "iccids": (["8988303000000000001"], ["8988303000000000002"]),
    "allowed_sim_statuses": (["activated"], ["issued"]),
    "quota_type": ("data", "sms"),
    "ip_address_version": (4, 6),
    "from_": (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
    "until": (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)),
    "sort": ("id", "-id"),
    "q": ("field:one", "field:two"),
}

# Arguments of which emnify takes one: they are tried one after another.
ONE_OF: dict[str, tuple[str, ...]] = {"sims.migrate": ("sim_ids", "iccids", "iccid_range")}

# Arguments that are optional each, while one of them must be there.
LEAST: dict[str, tuple[str, ...]] = {
    "automations.create": ("custom_event_id",),
    "sim_operations.trigger": ("sim_ids",),
    "sims.migrate": ("sim_ids",),
}


def samples(call: str, method: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Return two values for each parameter of a method.

    :param call: Its name, for example ``users.create``.
    """
    numbers = itertools.count(1001)
    return {
        name: _sample(call, parameter, numbers)
        for name, parameter in inspect.signature(method).parameters.items()
        if name != "self"
    }


def _sample(call: str, parameter: inspect.Parameter, numbers: itertools.count[int]) -> tuple[Any, Any]:
    name, kind = parameter.name, str(parameter.annotation)
    for key in (f"{call}.{name}", f"{call.partition('.')[0]}.{name}", name):
        if key in TABLE:
            return TABLE[key]
    first, second = next(numbers), next(numbers)
    days = (datetime(2026, 3, first % 28 + 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    by_kind = {
        "bool": (True, False),
        "float": (first + 0.5, second + 0.5),
        "Id": (first, second),
        "Ids": ([first, second], [second]),
        "int": (first, second),
        "Moment": days,
        "Dated": days,
        "Day": days,
        "Sequence[str]": ([f"{name}-{first}"], [f"{name}-{second}"]),
    }
    for word in kind.replace("|", " ").split():
        if (enum := getattr(enums, word, None)) is not None:
            members = [member.name.lower() for member in enum]
            return members[1], members[0]
    return by_kind.get(kind.partition(" ")[0], (f"{name}-{first}", f"{name}-{second}"))


def joined(value: Any) -> str:
    """Return all single values within a value, as text between bars."""
    if isinstance(value, dict):
        return "|".join(joined(one) for one in value.values())
    if isinstance(value, (list, tuple)):
        return "|".join(joined(one) for one in value)
    return str(value)
