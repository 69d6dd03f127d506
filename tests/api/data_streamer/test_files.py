"""Files of the Data Streamer: CSV and JSON, by the names of their columns; what is no record is set aside."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_emnify.api.data_streamer.files import (
    RECORD_KINDS,
    OtherKind,
    Rejected,
    get_record_kind,
    read_records,
)
from airflow_provider_emnify.api.data_streamer.record_text import LONGEST

USAGE = {
    "id": 333333333333333,
    "traffic_type": {"id": 5, "description": "Data"},
    "start_timestamp": "2024-05-01T10:00:00Z",
    "end_timestamp": "2024-05-01 10:05:00",
    "organisation": {"id": 100, "name": "Acme"},
    "endpoint": {"id": 7, "name": "Pump", "tags": "a,b", "imei": "1", "ip_address": "10.0.0.7"},
    "sim": {"id": 8, "iccid": "8988303000002000008", "msisdn": "882280002000008"},
    "imsi": "901430002000008",
    "imsi_id": 9,
    "operator": {
        "id": 3,
        "name": "Vodafone",
        "mnc": "02",
        "country": {"id": 74, "name": "Germany", "mcc": "262"},
    },
    "tariff": {"id": 1, "name": "T", "ratezone": {"id": 2, "name": "Zone 1"}},
    "volume": {"total": 0.000123, "rx": 0.000023, "tx": 0.0001},
    "cost": "0.0018851200",
    "currency": {"id": 1, "code": "EUR"},
    "session_id": "abc",
}
EVENT = {
    "id": 2**50,
    "timestamp": "2024-05-01T10:00:00Z",
    "alert": False,
    "description": "Attach",
    "event_type": {"id": 1, "description": "Update location"},
    "event_source": {"id": 0, "name": "Network"},
    "event_severity": {"id": 1, "description": "WARN"},
    "organisation": {"id": 100, "name": "Acme"},
    "imsi": {"id": 9, "imsi": "901430002000008"},
    "detail": {"country": {"id": 74}},
}


def flat(value: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Return a record as a row of CSV: the names on the way to each value are its header."""
    row: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, dict) and name != "detail":
            row |= flat(item, f"{above}{name}_")
        else:
            row[f"{above}{name}"] = json.dumps(item) if isinstance(item, (dict, bool)) else item
    return row


def csv_of(*rows: dict[str, Any]) -> bytes:
    import csv

    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read(body: bytes, kind: str = "usage") -> list[Any]:
    return list(read_records(io.BytesIO(body), RECORD_KINDS[kind]))


@pytest.mark.parametrize(("kind", "record"), [("usage", USAGE), ("events", EVENT)])
def test_every_form_of_a_file_gives_the_same_rows(kind: str, record: dict[str, Any]) -> None:
    line = json.dumps(record).encode()
    forms = [line + b"\n" + line, b"[" + line + b"," + line + b"]", csv_of(flat(record), flat(record))]
    forms += [b"\xef\xbb\xbf" + forms[2], *(gzip.compress(form, mtime=0) for form in forms)]
    expected = read(line, kind) * 2
    assert expected[0]["_extra"] is None
    for form in forms:
        assert read(form, kind) == expected


def test_usage_has_types() -> None:
    (row,) = read(json.dumps(USAGE).encode())
    assert row["start_timestamp"] == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert (row["volume"], row["cost"]) == (Decimal("0.000123"), Decimal("0.0018851200"))
    assert (row["operator_mnc"], row["country_mcc"], row["ratezone"]) == ("02", "262", "Zone 1")


def test_events_have_the_columns_of_the_stream() -> None:
    (row,) = read(json.dumps(EVENT).encode(), "events")
    assert (row["source"], row["severity"], row["imsi"]) == ("Network", "Warn", "901430002000008")
    assert row["detail"] == {"country": {"id": 74}}


def test_columns_are_known_by_name_and_a_new_one_is_kept() -> None:
    row = {"brand_new": "x", **dict(reversed(flat(USAGE).items()))}
    (found,) = read(csv_of(row))
    assert found["_extra"] == {"brand_new": "x"}
    assert found["endpoint_imei"] == "1"


def test_a_column_that_is_missing_is_null() -> None:
    (row,) = read(b"id,start_timestamp\n1,2024-05-01 10:00:00\n")
    assert (row["id"], row["volume"]) == (1, None)


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        (b'{"id": 1, "start_timestamp": "2024-05-01T10:00:00Z"}\n{"id": 2,\n', 2, "no JSON"),
        (b'{"id": 1}\n', 1, "it has no start_timestamp"),
        (b'{"id": "many", "start_timestamp": "2024-05-01"}\n', 1, "id: invalid literal"),
        (b'{"id": 1, "start_timestamp": "2024-05-01", "volume": {"total": "much"}}\n', 1, "volume: 'much'"),
        (b'{"id": 1, "start_timestamp": "someday"}\n', 1, "start_timestamp: Invalid isoformat"),
        (b"[1]", 1, "no object"),
        (b"[1", 1, "no JSON"),
        (b"id,start_timestamp\n1\n", 2, "1 values for 2 columns"),
        (b"id,start_timestamp\n1,2024-05-01,x\n", 2, "3 values for 2 columns"),
        (b"id,start_timestamp,session_id\n1,2024-05-01,\xff\n", 2, "not in UTF-8"),
        (b'{"id": 1, "start_timestamp": "\xff"}\n', 1, "no JSON"),
        (b"colour,shape\nred,round\n", 1, "no column of the header is known"),
        (b"id,start_timestamp\r1,2024-05-01\r", 1, "no CSV"),
        (b"id,start_timestamp\rx\n1,2024-05-01\n", 1, "no CSV"),
        (b'id,"' + b"x" * LONGEST + b'"\n1,2\n', 1, "no CSV"),
        (
            gzip.compress(b"\x1f\x8b\x08\x00\x00\x00\x0ek\x02\xff\xcbL", mtime=0),
            1,
            "no column of the header is known",
        ),
        (
            gzip.compress(b"\x1f\x8b\x08\x00\x00\x00\rk\x02\xff\xcbL", mtime=0),
            1,
            "no CSV",
        ),  # packed on another day
        (zlib.compress(b"id,start_timestamp\n" * 9), 1, "no column of the header is known"),
        (
            gzip.compress(b'{"id": 1, "start_timestamp": "2024-05-01"}\n' * 9, mtime=0)[:-12],
            1,
            "damaged from here on",
        ),
    ],
)
def test_what_is_no_record_is_handed_out_with_its_reason(body: bytes, line: int, reason: str) -> None:
    rejected = [record for record in read(body) if isinstance(record, Rejected)]
    assert len(rejected) == 1
    assert reason in rejected[0].reason
    assert line == 1 or rejected[0].line == line
    json.dumps(rejected[0].row, ensure_ascii=False).encode()  # it can be written and logged


def test_a_header_that_is_not_in_utf_8_can_be_written() -> None:
    (record,) = read("id,start_timestamp,größe\n1,2024-05-01,7\n".encode("latin-1"))
    assert record["_extra"] == {"gr\ufffd\ufffde": "7"}
    json.dumps(record["_extra"], ensure_ascii=False).encode()


def test_a_bad_row_does_not_keep_the_others_back() -> None:
    good, bad = flat(USAGE), {**flat(USAGE), "cost": "free"}
    records = read(csv_of(good, bad, good))
    assert [isinstance(record, Rejected) for record in records] == [False, True, False]
    assert records[1].row["cost"] == "free"


@pytest.mark.parametrize("body", [b"", b"\n\n", b"id,start_timestamp\n", b"[]", gzip.compress(b"", mtime=0)])
def test_a_file_without_records_has_none(body: bytes) -> None:
    assert read(body) == []


def test_records_that_there_are_not_are_an_error() -> None:
    with pytest.raises(ValueError, match="'bills' is not valid; allowed: events, usage"):
        get_record_kind("bills")


BOTH = [("usage", USAGE), ("events", EVENT)]


@pytest.mark.parametrize(("kind", "record"), BOTH)
@pytest.mark.parametrize("between", ["", " ", "\n\n", "\r\n", ",", " \t\n "])
def test_objects_with_anything_between_them_are_read(kind: str, record: dict[str, Any], between: str) -> None:
    line = json.dumps(record)
    expected = read(line.encode(), kind) * 300
    for body in (between.join([line] * 300), f"[{between.join([line + ','] * 299 + [line])}]"):
        assert read(body.encode(), kind) == expected
        members = [gzip.compress(part.encode()) for part in (body[:9999], body[9999:])]
        assert read(b"".join(members), kind) == expected
    assert read(f"[{line},{line}]{between}[{line}]".encode(), kind) == expected[:3]
    assert read(json.dumps([record, record], indent=2).encode(), kind) == expected[:2]


BAD = {
    "deep": '{"id": 2, "start_timestamp": "2024-05-01", "x": ' + "[" * 900 + "]" * 900 + "}",
    "deeper": '{"id": 2, "start_timestamp": "2024-05-01", "x": ' + '{"a":' * 9000 + "1" + "}" * 9000 + "}",
    "deep in a column": '{"id": ' + "[" * 900 + "]" * 900 + ', "start_timestamp": "2024-05-01"}',
    "huge": '{"id": 2, "start_timestamp": "2024-05-01", "cost": 1e999999}',
    "huge text": '{"id": 2, "start_timestamp": "2024-05-01", "cost": "1e999999"}',
    "fine text": '{"id": 2, "start_timestamp": "2024-05-01", "cost": "1e-999999"}',
    "huge elsewhere": '{"id": 2, "start_timestamp": "2024-05-01", "x": 1e999999}',
    "nan": '{"id": 2, "start_timestamp": "2024-05-01", "cost": NaN}',
    "infinity": '{"id": 2, "start_timestamp": "2024-05-01", "x": [-Infinity]}',
    "digits": '{"id": ' + "9" * 5000 + ', "start_timestamp": "2024-05-01"}',
    "many digits": '{"id": 2, "start_timestamp": "2024-05-01", "x": ' + "9" * 4000 + "}",
    "65 bits": '{"id": 18446744073709551616, "start_timestamp": "2024-05-01"}',
    "bytes": '{"id": 2, "start_timestamp": "2024-05-01", "session_id": "\udcff"}',
    "number": "7",
    "text": '"x"',
    "word": "oops",
    "comma": '{"id": 2,, "start_timestamp": "2024-05-01"}',
}


@pytest.mark.parametrize("between", ["", "\n"])
@pytest.mark.parametrize("name", BAD)
def test_one_bad_record_is_set_aside_and_the_others_are_read(name: str, between: str) -> None:
    good = json.dumps(USAGE)
    body = between.join([good, BAD[name], good]).encode("utf-8", "surrogateescape")
    found = read(body)
    assert [row["id"] for row in found if isinstance(row, dict)] == [USAGE["id"]] * 2
    (rejected,) = [row for row in found if isinstance(row, Rejected)]
    assert rejected.reason
    json.dumps(rejected.row)
    assert [isinstance(row, dict) for row in read(BAD[name].encode("utf-8", "surrogateescape"))] == [False]


@pytest.mark.parametrize("between", ["", "\n", " "])
@pytest.mark.parametrize("cut", range(5, 200, 13))
def test_a_record_that_is_cut_costs_itself_alone(between: str, cut: int) -> None:
    good = json.dumps(USAGE)
    for parts in ([good[:cut], good, good], [good, good[:cut], good], [good, good, good[:cut]]):
        found = read(between.join(parts).encode())
        assert sum(isinstance(row, dict) for row in found) == 2
        assert any(isinstance(row, Rejected) for row in found)


HEADERS = {
    "usage": (
        *("sim,sim_iccid", "endpoint,endpoint_name", "msisdn,msisdn_msisdn", "operator,operator_country"),
        "id,id",
        *("volume,volume_total", "operator_country,operator_country_name", "tariff,tariff_ratezone"),
    ),
    "events": (
        *("event_type,event_type_id", "imsi,imsi_imsi", "event_severity,event_severity_description"),
        *("detail,detail_country", "sim,sim_iccid"),
    ),
}
PAIRS = [(kind, pair.split(",")) for kind, pairs in HEADERS.items() for pair in pairs]


@pytest.mark.parametrize(("kind", "extra"), PAIRS + [(kind, pair[::-1]) for kind, pair in PAIRS])
def test_a_header_that_is_the_beginning_of_another_loses_nothing(kind: str, extra: list[str]) -> None:
    moment = {"usage": "start_timestamp", "events": "timestamp"}[kind]
    forms = ["[%d]" if name == "detail" else "%d" for name in extra]
    values = [form % said for form, said in zip(forms, (11, 22), strict=True)]
    head = "" if "id" in extra else "id,"
    row = "" if "id" in extra else "1,"
    (found,) = read(f"{head}{moment},{','.join(extra)}\n{row}2024-05-01,{','.join(values)}\n".encode(), kind)
    assert isinstance(found, dict), found
    said = " ".join(str(value) for value in found.values())
    assert "11" in said
    assert "22" in said


def test_records_of_the_other_kind_are_left_to_their_own_load() -> None:
    usage, event = json.dumps(USAGE), json.dumps(EVENT)
    body = (usage + event + usage + json.dumps({"id": 1})).encode()
    assert [type(row) for row in read(body)] == [dict, OtherKind, dict, Rejected]
    assert [type(row) for row in read(body, "events")] == [OtherKind, dict, OtherKind, Rejected]
    assert [type(row) for row in read(csv_of(flat(EVENT)))] == [OtherKind]
    assert [type(row) for row in read(csv_of(flat(USAGE)), "events")] == [OtherKind]


def test_a_quote_without_its_other_half_costs_its_row_alone() -> None:
    lines = csv_of(*[flat(USAGE)] * 5).split(b"\r\n")
    lines[2] = lines[2].replace(b"Pump", b'"Pump')
    lines[2] = b'"' + lines[2]
    found = read(b"\n".join(lines))
    assert [type(row) for row in found] == [dict, Rejected, dict, dict, dict]


@pytest.mark.parametrize("following", ["b", '"b"', '"b, ""c"""'])
def test_a_quote_without_its_other_half_in_the_last_column_costs_its_row_alone(following: str) -> None:
    body = f'id,timestamp,description\n1,2024-05-01,"a\n2,2024-05-01,{following}\n3,2024-05-01,d\n'
    first, *others = read(body.encode(), "events")
    assert isinstance(first, Rejected)
    assert first.row == '1,2024-05-01,"a'
    assert [row["id"] for row in others if isinstance(row, dict)] == [2, 3]


def test_memory_does_not_grow_with_the_file() -> None:
    record = json.dumps({**USAGE, "session_id": "x" * 20_000})
    body = gzip.compress(f"[{','.join([record] * 1_500)}]".encode())
    tracemalloc.start()
    try:
        count = sum(isinstance(row, dict) for row in read_records(io.BytesIO(body), RECORD_KINDS["usage"]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 1_500
    assert peak < 4 * 1024 * 1024  # of 30
