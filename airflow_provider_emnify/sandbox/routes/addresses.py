"""Address spaces of the organisation."""

from __future__ import annotations

import ipaddress
from collections import Counter

from airflow_provider_emnify.sandbox.http.answers import ApiError, not_found, wrong
from airflow_provider_emnify.sandbox.http.fields import one_of, text
from airflow_provider_emnify.sandbox.http.resources import Render, Resource, Row, in_endpoints
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.world.state import State

_SPACES = "/api/v1/ip_address_space"
_OFFERED: dict[int, Row] = {
    100 + number: {
        "id": 100 + number,
        "ip_address_space": f"172.{16 + number // 16}.{number % 16 * 16}.0/20",
        "ip_address_version": 4,
    }
    for number in range(256)
}
"""The spaces that an organisation can be offered."""


def _space_row(call: Call) -> Render:
    used = Counter(endpoint.ip_address_space_id for endpoint in call.state.endpoints.values())

    def render(row: Row) -> Row:
        size = ipaddress.ip_network(row["ip_address_space"]).num_addresses
        return {**row, "used_count": used[row["id"]], "available_count": size - used[row["id"]]}

    return render


def _check_space(call: Call, body: Row, row: Row | None) -> None:
    try:
        space = ipaddress.ip_network(body["ip_address_space"])
    except ValueError:
        raise wrong(
            "IpAddressSpace - ip_address_space has invalid format: expecting CIDR notation."
        ) from None
    if space.version != body["ip_address_version"] or not space.is_private or space.is_loopback:
        raise wrong(f"IpAddressSpace - {space} is not allowed.", "NotAllowed")
    if not _is_free(call.state, str(space)):
        raise ApiError("Duplicated", f"IP address space {space} overlaps with one that is allocated.")


def _is_free(state: State, space: str) -> bool:
    wanted = ipaddress.ip_network(space)
    taken = (ipaddress.ip_network(row["ip_address_space"]) for row in state.ip_address_spaces.values())
    return not any(one.version == wanted.version and one.overlaps(wanted) for one in taken)


Resource(
    path=_SPACES,
    parameter="address_space_id",
    name="IpAddressSpace",
    rows=lambda call: call.state.ip_address_spaces,
    fields={"ip_address_space": text(required=True), "ip_address_version": one_of(4, 6, required=True)},
    answers={"create": 201, "delete": 204},
    shown=("create",),
    check=_check_space,
    in_use=in_endpoints("ip_address_space_id"),
    brief=_space_row,
).serve()


@serves("GET", _SPACES + "/available")
def list_available_spaces(call: Call) -> Body:
    """Offer ten address spaces that nobody has, others each time."""
    free = [row for row in _OFFERED.values() if _is_free(call.state, row["ip_address_space"])]
    return call.state.random.sample(free, min(10, len(free)))


@serves("PUT", _SPACES + "/{address_space_id}")
def take_space(call: Call) -> None:
    """Give the organisation an address space that was offered."""
    number, spaces = call.id("address_space_id", "IpAddressSpace"), call.state.ip_address_spaces
    if number not in spaces and number not in _OFFERED:
        raise not_found("IpAddressSpace", number)
    if number in spaces or not _is_free(call.state, _OFFERED[number]["ip_address_space"]):
        raise ApiError("Duplicated", f"IP address space {number} is allocated already.")
    spaces[number] = dict(_OFFERED[number])
