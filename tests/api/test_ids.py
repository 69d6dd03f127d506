"""Ids in every form in which tasks, SQL and templates hand them over; and what only looks like one."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_emnify.api.resources import RESOURCES, operations_of
from airflow_provider_emnify.api.values import parse_id, parse_ids, parse_pairs, parse_texts, parse_user_ids
from tests.api.resources.recorder import Recorder
from tests.api.resources.samples import samples
from tests.api.support import Column, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable

IDS = st.integers(0, 10**17)


class Int64:
    """A whole number of another library: not an int, and registered as Python asks for, as NumPy's are."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __int__(self) -> int:
        return self.value


Integral.register(Int64)


class Named(NamedTuple):
    """A row of several columns with their names, as databases' drivers and data frames give them."""

    id: Any
    status: str
    profile_id: int


class Unnamed(NamedTuple):
    """A row of several columns, of which none says that it is the id."""

    endpoint: int
    status: int


def as_it_comes(one: int) -> st.SearchStrategy[Any]:
    """Give an id in a form in which XCom, SQL or a template may hand it over."""
    forms: list[Any] = [one, str(one), f" {one} ", Decimal(one), Int64(one), {"id": one, "name": "x"}]
    if one < 2**53:
        forms += [float(one), f"{one}.0"]
    return st.sampled_from(forms)


@given(st.data(), st.lists(IDS))
def test_ids_are_taken_in_every_form(data: st.DataObject, ids: list[int]) -> None:
    given_ids = [data.draw(as_it_comes(one)) for one in ids]
    wanted = list(dict.fromkeys(ids))
    cuts = data.draw(st.lists(st.integers(0, len(ids)), max_size=4).map(sorted))
    parts = [given_ids[a:b] for a, b in zip([0, *cuts], [*cuts, len(ids)], strict=True)]
    for value in (
        given_ids,
        tuple(given_ids),
        iter(given_ids),
        [(one,) for one in given_ids],  # rows of a SQL operator
        parts,  # the results of mapped tasks
        [iter(part) for part in parts],
        [Named(one, "enabled", 4) for one in given_ids],
        (part for part in parts),
    ):
        assert parse_ids(value, "endpoint_ids") == wanted


@given(st.lists(IDS), st.booleans())
def test_ids_are_taken_from_what_templates_render_to(ids: list[int], nested: bool) -> None:
    wanted = list(dict.fromkeys(ids))
    forms: list[Any] = [ids, [Decimal(one) for one in ids], [{"id": one, "tags": None} for one in ids]]
    for value in forms:
        rows = [(one,) for one in value] if nested else value
        assert parse_ids(str(rows)) == wanted
    assert parse_ids(json.dumps([{"id": one, "sim": None, "lock": True} for one in ids])) == wanted


@pytest.mark.parametrize(
    "text",
    ["[np.int64(7), np.uint8(8)]", "[(np.int32(7),), (np.int32(8),)]", "[np.float64(7.0), Decimal('8')]"],
)
def test_ids_are_taken_from_numbers_of_other_types_in_a_text(text: str) -> None:
    assert parse_ids(text) == [7, 8]


def test_ids_are_taken_from_arrays_and_columns() -> None:
    assert parse_ids(Scalar(7)) == [7]
    assert parse_ids([Scalar(7), [Scalar(8)], {"id": Scalar(9)}]) == [7, 8, 9]
    assert parse_ids(Column([7, 8])) == [7, 8]


def test_a_message_is_one_line_whatever_shows_itself_in_several() -> None:
    class Frame:
        def __repr__(self) -> str:
            return "   id\n0   7\n\x1b[31m1   8"

    with pytest.raises(ValueError, match="is not a valid id") as caught:
        parse_ids(Frame())
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("89430300000000001234", "an ICCID"),
        (89430300000000001234, "an ICCID"),
        (8943030000000000123, "an ICCID"),
        (["7", "8943030000000000123"], "an ICCID"),
        ([[Decimal("89430300000000001234")]], "an ICCID"),
        ("89049032000001000000000012345678", "an eID"),
        (10**25, "too long"),
        (2**63, "too long"),
        ("9" * 5000, "is not a valid id"),
        (Decimal("1e999999"), "is not a valid id"),
        ("490154203237518.5", "is not a valid id"),
        ("a1b2c3d4-0000-4000-8000-000000000000", "is not a valid id"),
        ("../user/1001", "is not a valid id"),
        ([float("nan")], "is not a valid id"),
        (float("inf"), "is not a valid id"),
        (Decimal("NaN"), "is not a valid id"),
        (Decimal("7.5"), "is not a valid id"),
        ([True], "is not a valid id"),
        ([(7, None)], "several columns"),
        ([(7, 1), (8, 2)], "several columns"),
        (((7, 1), (8, 2)), "several columns"),
        ("[(7, 1), (8, 2)]", "several columns"),
        ([(7, "enabled")], "several columns"),
        ([Unnamed(7, 1)], "several columns"),
        (Unnamed(7, 1), "several columns"),
        (Named("x", "enabled", 4), "is not a valid id"),
        (bytearray(b"7"), "is not a valid id"),
        (memoryview(b"7"), "is not a valid id"),
        (UUID(int=7), "is not a valid id"),
        ("[np.datetime64(7)]", "is not a valid id"),
        ("[np.int64(7.5)]", "is not a valid id"),
        ([[[7]]], "is not a valid id"),
        ({"name": "x"}, "is not a valid id"),
        ([{"id": None}], "is not a valid id"),
        ([{"id": {"id": 7}}], "is not a valid id"),
        ([b"7"], "is not a valid id"),
        ("[7, 8", "is not a valid id"),
        ("[" * 10_000, "is not a valid id"),
    ],
)
def test_what_is_no_id_is_refused_and_named(value: Any, what: str) -> None:
    for parse in (parse_ids, parse_id, parse_user_ids):
        with pytest.raises(ValueError, match=f"endpoint_ids: .*{what}") as caught:
            parse(value, "endpoint_ids")
        assert len(str(caught.value)) < 700


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.binary(), st.lists))
def test_nothing_but_a_value_error_comes_of_anything(value: Any) -> None:
    for parse in (parse_ids, parse_id, parse_user_ids, parse_texts, parse_pairs):
        with contextlib.suppress(ValueError):
            parse(value, "x")


def test_users_and_texts_are_taken_in_the_same_forms() -> None:
    assert parse_user_ids([["ada@example.org"], [{"id": 7}], (Decimal(8),)]) == ["ada@example.org", 7, 8]
    assert parse_texts([["a1b2-c3"], [{"id": "x9"}], (7.0,), "7"]) == ["a1b2-c3", "x9", "7"]
    assert parse_texts([UUID(int=7), (UUID(int=8),)]) == [str(UUID(int=7)), str(UUID(int=8))]
    assert parse_texts(str([(UUID(int=7),)])) == [str(UUID(int=7))]
    for value in ("../admin@example.org", "a@b/../c", "@", "a b@c"):
        with pytest.raises(ValueError, match="is not a valid id"):
            parse_user_ids(value)


@pytest.mark.parametrize(
    "value",
    [
        {7: [12, 13], "8": ["x-1"]},
        [{7: [12, 13]}, {"8": ["x-1"]}],
        "{7: [12, 13], 8: ['x-1']}",
        ["7/12", "7/13", "8/x-1"],
        [["7/12", "7/13"], ["8/x-1"]],
        [(7, 12), (7, 13), (8, "x-1")],
        [[(7, 12), (7, 13)], [(8, "x-1")]],
        "7/12, 7/13,8/x-1",
        [(Decimal(7), Decimal("12.0")), (7.0, Int64(13)), (Int64(8), "x-1")],
        Column(["7/12", "7/13", "8/x-1"]),
        "['7/12', '7/13', '8/x-1']",
    ],
)
def test_pairs_are_taken_in_every_form(value: Any) -> None:
    assert parse_pairs(value, "sms_ids") == ["7/12", "7/13", "8/x-1"]


@pytest.mark.parametrize("value", ["7", 7, "7/", "/7", [7, 12], "7/1/2", {"x": [1]}, "../1", [[[["7/1"]]]]])
def test_what_is_no_pair_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^sms_ids: "):
        parse_pairs(value, "sms_ids")


PATHS = [
    (f"{name}.{method}", getattr(resource, method), parameter)
    for name, resource in RESOURCES.items()
    for method, found in operations_of(resource).items()
    for parameter in samples(f"{name}.{method}", getattr(resource, method))
    if "{" in found.path
]
ELSEWHERE = ["../user/1001", "7/../../user/1001", "7?x=1", "7#", "..", ".", "7\\8", "%2e%2e", "7;x", ""]


@pytest.mark.parametrize("call", sorted({name for name, _, _ in PATHS}))
def test_no_id_in_a_path_leads_elsewhere(call: str) -> None:
    methods: dict[str, Callable[..., Any]] = {name: method for name, method, _ in PATHS}
    resource, _, method = call.partition(".")
    values = {name: first for name, (first, _) in samples(call, methods[call]).items()}
    tried = 0
    for name in values:
        client = Recorder([{"id": 1, "name": "other"}])
        with contextlib.suppress(ValueError, AttributeError):  # a status, a destination
            run(client, resource, method, {**values, name: "4242"})
        if not any("4242" in map(str, sent.path_params.values()) for sent in client.sent):
            continue  # not in the path
        for value in ELSEWHERE:
            client = Recorder([{"id": 1, "name": "other"}])
            with pytest.raises(ValueError, match="id"):
                run(client, resource, method, {**values, name: value})
            assert all(value not in map(str, sent.path_params.values()) for sent in client.sent)
        tried += 1
    assert tried, "no argument goes into the path"


def run(client: Recorder, resource: str, method: str, arguments: dict[str, Any]) -> None:
    answer = getattr(getattr(client, resource), method)(**arguments)
    if hasattr(answer, "__next__"):
        list(answer)
