"""Columns: every recorded form becomes one type, and nothing that emnify sends is lost or leaks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_emnify.api.streams.catalogue import STREAMS
from airflow_provider_emnify.api.streams.columns import (
    CONVERT,
    EXTRA,
    Column,
    ColumnType,
    boolean,
    day,
    decimal,
    integer,
    iso,
    json,
    lookup,
    text,
    timestamp,
    to_severity,
)
from airflow_provider_emnify.api.streams.converter import Converter
from airflow_provider_emnify.api.streams.tables import ENDPOINTS

MOMENT = datetime(2021, 11, 18, 8, 25, 53, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2021-11-18T08:25:53.000+0000", MOMENT),  # endpoints, SIMs
        ("2021-11-18T08:25:53.298Z", MOMENT.replace(microsecond=298_000)),  # events
        ("2021-11-18 08:25:53", MOMENT),  # events, too
        ("2021-11-18T08:25:53Z", MOMENT),
        ("2021-11-18T10:25:53+02:00", MOMENT),
        ("2021-11-18", MOMENT.replace(hour=0, minute=0, second=0)),
        (" 2021-11-18 08:25:53 ", MOMENT),
    ],
)
def test_dates_of_every_recorded_form_are_aware_and_in_utc(said: str, meant: datetime) -> None:
    row = Converter([timestamp("t")])({"t": said})
    assert row == {"t": meant, EXTRA: None}
    assert row["t"].utcoffset().total_seconds() == 0


@pytest.mark.parametrize(
    ("kind", "said", "meant"),
    [
        (ColumnType.INTEGER, 1, 1),
        (ColumnType.INTEGER, "17", 17),
        (ColumnType.INTEGER, 1.0, 1),
        (ColumnType.INTEGER, 2**63 - 1, 2**63 - 1),
        (ColumnType.DECIMAL, "0.1", Decimal("0.1")),
        (ColumnType.DECIMAL, 0.1, Decimal("0.1")),
        (ColumnType.DECIMAL, " 12 ", Decimal(12)),
        (ColumnType.DECIMAL, "0.0000000001", Decimal("0.0000000001")),
        (ColumnType.DECIMAL, f"-{'9' * 28}.{'9' * 10}", Decimal(f"-{'9' * 28}.{'9' * 10}")),
        (ColumnType.BOOLEAN, True, True),
        (ColumnType.BOOLEAN, 1, True),
        (ColumnType.BOOLEAN, 0, False),
        (ColumnType.BOOLEAN, "TRUE", True),
        (ColumnType.TEXT, "8988303000002000130", "8988303000002000130"),
        (ColumnType.TEXT, 262, "262"),
        (ColumnType.DATE, "2024-05-01", date(2024, 5, 1)),
        (ColumnType.DATE, "2024-05-01T23:30:00-02:00", date(2024, 5, 2)),
        (ColumnType.JSON, [{"a": 1}], [{"a": 1}]),
    ],
)
def test_values_of_every_recorded_form_have_the_columns_type(kind: ColumnType, said: Any, meant: Any) -> None:
    value = Converter([Column("c", kind, ("c",))])({"c": said})["c"]
    assert value == meant
    assert type(value) is type(meant)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (ColumnType.INTEGER, "many"),
        (ColumnType.INTEGER, 1.5),
        (ColumnType.INTEGER, True),
        (ColumnType.INTEGER, 2**63),
        (ColumnType.DECIMAL, "n/a"),
        (ColumnType.DECIMAL, "NaN"),
        (ColumnType.DECIMAL, f"{'9' * 28}.{'9' * 11}"),  # which would be rounded up to 29 digits
        (ColumnType.DECIMAL, f"-{'9' * 28}.{'9' * 11}"),
        (ColumnType.DECIMAL, [1]),
        (ColumnType.BOOLEAN, "perhaps"),
        (ColumnType.TEXT, {"id": 1}),
        (ColumnType.TIMESTAMP, "yesterday"),
        (ColumnType.TIMESTAMP, 1_700_000_000),
        (ColumnType.DATE, "TOTAL"),
        (ColumnType.JSON, "text"),
    ],
)
def test_a_value_that_does_not_fit_is_kept_beside_the_columns(kind: ColumnType, said: Any) -> None:
    assert Converter([Column("c", kind, ("c",))])({"c": said}) == {"c": None, EXTRA: {"c": said}}


def answers(paths: Iterable[Sequence[str]]) -> st.SearchStrategy[Any]:
    """Rows with these fields of a stream, of any form, and others."""
    inside: dict[str, list[Sequence[str]]] = {}
    for name, *rest in paths:
        inside.setdefault(name, []).extend([rest] if rest else [])
    below = {name: answers(rest) if rest else ODD for name, rest in inside.items()}
    return st.fixed_dictionaries({}, optional={**below, "more": ODD, "x_token": st.text(max_size=2)}) | ODD


ODD: Any = st.sampled_from(
    [
        *(
            None,
            "",
            0,
            1,
            -1,
            True,
            False,
            1.0,
            1.5,
            2**63,
            -(2**63),
            2**64,
            float("inf"),
            "7",
            "1.50",
            "a",
            "true",
        ),
        *(
            "2021-10-06T10:42:58.298Z",
            "2021-10-06 10:42:58+02:00",
            "2021-10-06",
            "critical",
            "\ud800",
            "\x00",
        ),
        *([], {}, [1], {"id": 1}, {"id": {"id": 2}}, {"token": "x"}, [[float("nan")]], "eyJhbGciOiJI.e30.x"),
    ]
)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.data())
@pytest.mark.parametrize("stream", STREAMS)
def test_many_rows_at_a_time_are_what_each_of_them_is(stream: str, data: st.DataObject) -> None:
    convert = STREAMS[stream].converter
    paths = [path for path, _ in convert.leaves()] + [path.split(".") for path in STREAMS[stream].ignored]
    rows = data.draw(st.lists(answers(paths).filter(lambda row: isinstance(row, dict)), max_size=8))
    each = [list(convert(row).values()) for row in rows]
    found = [list(values) for values in zip(*convert.batch(rows), strict=True)]
    assert repr(found) == repr(each)


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_are_written_as_isoformat_does(moment: datetime) -> None:
    assert iso(moment) == moment.isoformat()


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
def test_no_value_at_all_makes_a_row_fail(said: Any) -> None:
    for kind in CONVERT:
        row = Converter([Column("c", kind, ("c",))])({"c": said})
        if said is not None and said != "":
            assert row["c"] is not None or row[EXTRA] is not None


def test_unknown_fields_are_kept_also_within_known_ones() -> None:
    convert = Converter([integer("id"), *lookup("status")])
    raw = {"id": 1, "colour": "red", "status": {"id": 0, "description": "Enabled", "since": "2024"}}
    assert convert(raw)[EXTRA] == {"colour": "red", "status": {"since": "2024"}}


def test_a_known_object_that_comes_as_something_else_is_kept() -> None:
    assert Converter([*lookup("status")])({"status": "Enabled"})[EXTRA] == {"status": "Enabled"}


def test_a_missing_field_is_null_and_so_is_an_empty_text() -> None:
    convert = Converter([integer("id"), text("name"), text("sim_iccid", "sim.iccid")])
    nothing = {"id": 1, "name": None, "sim_iccid": None, EXTRA: None}
    assert convert({"id": 1}) == nothing
    assert convert({"id": 1, "name": None, "sim": None}) == nothing
    assert convert({"id": 1, "name": ""}) == nothing


def test_the_first_field_that_is_there_counts() -> None:
    convert = Converter([text("source", "event_source.description", "event_source.name")])
    assert convert({"event_source": {"description": "Network"}})["source"] == "Network"
    assert convert({"event_source": {"name": "Network"}})["source"] == "Network"


def test_what_is_left_out_on_purpose_is_left_out() -> None:
    convert = Converter([integer("id")], ["organisation.country"])
    assert convert({"id": 1, "organisation": {"country": {"mcc": 262}}})[EXTRA] is None


@pytest.mark.parametrize(
    "field",
    [
        "application_token",
        "auth_token",
        "password",
        "secret",
        "api_key",
        "activation_key",
        "jwt",
        "credentials",
    ],
)
def test_secrets_are_never_kept_wherever_they_show_up(field: str) -> None:
    convert = Converter([integer("id"), json("detail")])
    raw = {
        "id": 1,
        field: "s3cr3t",
        "creator": {"name": "x", field: "s3cr3t"},
        "detail": {"a": [{field: "s3cr3t"}]},
    }
    row = convert(raw)
    assert "s3cr3t" not in repr(row)
    assert row[EXTRA] == {"creator": {"name": "x"}}
    assert row["detail"] == {"a": [{}]}


def test_a_value_that_looks_like_a_token_is_not_kept() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    assert token not in repr(Converter([integer("id")])({"id": 1, "harmless": token}))


@pytest.mark.parametrize(
    ("said", "meant"), [("Warn", "Warn"), ("WARN", "Warn"), ("info", "Info"), ("New", "New")]
)
def test_severities_have_one_spelling(said: str, meant: str) -> None:
    assert to_severity(said) == meant


def test_rows_have_every_column_in_the_same_order() -> None:
    convert = Converter([integer("id"), day("date"), decimal("cost"), boolean("alert")])
    assert tuple(convert({"alert": 1, "id": 2})) == convert.names == ("id", "date", "cost", "alert", EXTRA)


@pytest.mark.parametrize("sim", [{"sim_profile_type_id": 3}, {"sim_profile_type": {"id": 3}}], ids=str)
def test_the_profile_type_of_a_sim_may_be_flat_or_nested(sim: dict[str, Any]) -> None:
    row = Converter(ENDPOINTS)({"id": 1, "sim": {"id": 2, **sim}})
    assert (row["sim_id"], row["sim_profile_type_id"], row["_extra"]) == (2, 3, None)


def nested(path: str, value: Any) -> dict[str, Any]:
    first, _, rest = path.partition(".")
    return {first: nested(rest, value) if rest else value}


IDS = [
    (name, column.name, path)
    for name, stream in STREAMS.items()
    for column in stream.columns
    for path in column.paths
    if path.endswith((".id", "_id")) and column.type is ColumnType.INTEGER
]


@pytest.mark.parametrize(("stream", "column", "path"), IDS)
def test_an_id_may_be_flat_or_nested_in_every_stream(stream: str, column: str, path: str) -> None:
    other = f"{path[:-3]}_id" if path.endswith(".id") else f"{path[:-3]}.id"
    for form in (path, other):
        row = STREAMS[stream].converter(nested(form, 3))
        assert (row[column], row[EXTRA]) == (3, None), form


def test_a_form_that_another_column_has_is_left_to_it() -> None:
    row = Converter([integer("imsi_id"), text("imsi")])({"imsi_id": 1, "imsi": "262"})
    assert (row["imsi_id"], row["imsi"]) == (1, "262")
