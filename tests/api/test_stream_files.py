"""Files of the Data Streamer: CSV and JSON, by the names of their columns; what is no record is set aside."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_emnify.api.stream_files import RECORD_KINDS, Rejected, get_record_kind, read_records

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


def test_a_bad_row_does_not_keep_the_others_back() -> None:
    good, bad = flat(USAGE), {**flat(USAGE), "cost": "free"}
    records = read(csv_of(good, bad, good))
    assert [isinstance(record, Rejected) for record in records] == [False, True, False]
    assert records[1].row["cost"] == "free"


@pytest.mark.parametrize("body", [b"", b"\n\n", b"id,start_timestamp\n", b"[]", gzip.compress(b"", mtime=0)])
def test_a_file_without_records_has_none(body: bytes) -> None:
    assert read(body) == []


def test_records_that_there_are_not_are_an_error() -> None:
    with pytest.raises(ValueError, match="'bills' is not one of 'events', 'usage'"):
        get_record_kind("bills")
