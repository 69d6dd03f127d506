"""Tariff profiles: their tariff, rate zones, inclusive volume, coverage and blocked operators."""

from __future__ import annotations

from collections import Counter

from airflow_provider_emnify.sandbox.http.answers import ApiError
from airflow_provider_emnify.sandbox.http.fields import array, reference, text
from airflow_provider_emnify.sandbox.http.resources import Render, Resource, Row, in_endpoints, serve_members
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.catalogue import COUNTRIES, CURRENCIES, OPERATORS, RAT_TYPES
from airflow_provider_emnify.sandbox.routes.organisations import RATE_ZONES, TARIFFS, the_volume, volume_row
from airflow_provider_emnify.sandbox.world.clock import DAY, date
from airflow_provider_emnify.sandbox.world.records.plain import new_tariff_profile
from airflow_provider_emnify.sandbox.world.state import ORGANISATION_ID

_ONE = "/api/v1/tariff_profile/{tariff_profile_id}"
_VOLUME = _ONE + "/inclusive_volume/{inclusive_volume_id}"
_BLOCKED = "/api/v2/tariff_profile/{tariff_profile_id}/operator_blocklist/operator"
_OPERATOR = _BLOCKED + "/{operator_id}"


def _row(call: Call) -> Render:
    """A tariff profile; most counts and references in it are strings."""
    state = call.state
    used = Counter(endpoint.tariff_profile_id for endpoint in state.endpoints.values())
    tariffs = Counter(profile["tariff"]["id"] for profile in state.tariff_profiles.values())

    def render(row: Row) -> Row:
        number, volume = row["tariff"]["id"], state.inclusive_volumes.get(row["inclusive_volume_id"])
        tariff = {
            "id": number,
            "organisation_id": str(ORGANISATION_ID),
            "name": TARIFFS[number],
            "description": "",
            "created": date(state.started - 400 * DAY),
            "tariff_status_id": "1",
            "currency_id": "1",
            "default_sms_mt_rate": 0.05,
            "default_sms_mo_rate": 0.05,
            "sim_activated_rate": 1.0,
            "data_blocksize_id": "1",
            "used_count": str(tariffs[number]),
            "assigned_count": "1",
            "currency": CURRENCIES[1],
        }
        plain = {name: row[name] for name in ("id", "name", "description")}
        counts = {"used_count": str(used[row["id"]]), "organisation_id": str(ORGANISATION_ID)}
        more = {} if volume is None else {"inclusive_volume": volume_row(volume)}
        return {**plain, **counts, "tariff": tariff, **more}

    return render


def _check(call: Call, body: Row, row: Row | None) -> None:
    """Take the rate zones from a profile that gets another tariff."""
    if row is not None and body.get("tariff", row["tariff"]) != row["tariff"]:
        row["ratezones"].clear()


_PROFILES = Resource(
    path="/api/v1/tariff_profile",
    parameter="tariff_profile_id",
    name="TariffProfile",
    rows=lambda call: call.state.tariff_profiles,
    fields={
        "name": text(required=True, shortest=1),
        "description": text(),
        "tariff": reference(required=True),
    },
    answers={"create": 201, "give": 200, "change": 204, "delete": 204},
    references={"tariff": lambda state: TARIFFS},
    make=lambda call, body: new_tariff_profile(**{"description": "", **body}),
    check=_check,
    in_use=in_endpoints("tariff_profile_id"),
    brief=_row,
)
_PROFILES.serve()
serve_members(
    _ONE + "/ratezone_selection",
    "ratezone_id",
    "RateZone",
    known=lambda call: RATE_ZONES,
    held=lambda call: _PROFILES.one(call)["ratezones"],
)
serve_members(
    _BLOCKED,
    "operator_id",
    "Operator",
    known=lambda call: OPERATORS,
    held=lambda call: _PROFILES.one(call)["blocked"],
)


@serves("GET", _ONE + "/coverage")
def list_coverage(call: Call) -> Body:
    """List the countries where a profile can be used, and how many operators there are."""
    blocked = _PROFILES.one(call)["blocked"]
    counts = Counter(row["country"]["id"] for number, row in OPERATORS.items() if number not in blocked)
    return [
        {"country": {"id": number, "name": COUNTRIES[number]["name"]}, "redundancy_count": count}
        for number, count in sorted(counts.items())
    ]


@serves("PUT", _VOLUME)
def assign_volume(call: Call) -> None:
    """Give a profile that has none an inclusive volume."""
    profile, volume = _PROFILES.one(call), the_volume(call)
    if profile["inclusive_volume_id"] is not None:
        raise ApiError("Duplicated", "The tariff profile has an inclusive volume already.")
    profile["inclusive_volume_id"] = volume["id"]


@serves("DELETE", _VOLUME)
def unassign_volume(call: Call) -> None:
    """Take the inclusive volume from a profile."""
    profile, volume = _PROFILES.one(call), the_volume(call)
    if profile["inclusive_volume_id"] != volume["id"]:
        raise ApiError("BadRequest", f"Inclusive volume {volume['id']} is not assigned to the profile.")
    profile["inclusive_volume_id"] = None


@serves("GET", _BLOCKED)
def list_blocked(call: Call) -> Body:
    """List the operators that a profile blocks, wholly or some of their technologies."""
    profile = _PROFILES.one(call)
    kinds = [number for number, kinds in profile["blocked_kinds"].items() if kinds]
    return [_blocked(profile, number) for number in sorted({*profile["blocked"], *kinds})]


@serves("GET", _OPERATOR)
def get_blocked(call: Call) -> Body:
    """Give what a profile blocks of an operator."""
    return _blocked(_PROFILES.one(call), call.known(OPERATORS, "operator_id", "Operator"))


@serves("POST", _OPERATOR + "/rat_type")
def block_technologies(call: Call) -> None:
    """Block some technologies of an operator; whether it is blocked itself is another matter."""
    kinds = _kinds(call)
    body = call.checked({"rat_types": array(reference(), required=True)}, "RatTypes")
    kinds.update([call.state.existing(RAT_TYPES, kind["id"], "RatType") for kind in body["rat_types"]])


@serves("DELETE", _OPERATOR + "/rat_type/{rate_type_id}")
def unblock_technology(call: Call) -> None:
    """Block a technology of an operator no more."""
    kinds = _kinds(call)
    kinds.remove(call.known(kinds, "rate_type_id", "RatType"))


def _kinds(call: Call) -> set[int]:
    kinds: dict[int, set[int]] = _PROFILES.one(call)["blocked_kinds"]
    return kinds.setdefault(call.known(OPERATORS, "operator_id", "Operator"), set())


def _blocked(profile: Row, number: int) -> Row:
    kinds = sorted(profile["blocked_kinds"].get(number, ()))
    rat_types = [{"id": kind, "description": RAT_TYPES[kind]} for kind in kinds]
    return {
        "operator": {"id": number, "name": OPERATORS[number]["name"]},
        "tariff_profile": {"id": profile["id"]},
        "blocklist": {"operator": number in profile["blocked"], "rat_types": rat_types},
    }
