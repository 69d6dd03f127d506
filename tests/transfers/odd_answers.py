"""What emnify may answer for each stream: every form that a value has been seen in, and odd ones.

It is text, as it comes over the wire: numbers that no float holds, halves of characters, NaN. It is the same
each time.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.streams.columns import ColumnType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emnify.api.streams.columns import Column
    from airflow_provider_emnify.api.streams.stream import Stream
    from airflow_provider_emnify.sandbox import Sandbox

DAYS = ("2024-05-01", "2024-05-02", "2024-05-03")
DEVICES = 3
MANY = frozenset({"sims", "endpoints", "events"})

_DEEP = "[" * 40 + "]" * 40
FORMS: dict[ColumnType, tuple[str, ...]] = {
    ColumnType.INTEGER: (
        *("7", '"17"', "18.0", "null", '""', "9223372036854775807", "9223372036854775808", "true", "1.5"),
        *("1e400", '"many"', "NaN", "12345678901234567890123", "-9223372036854775809", "[]", "-0", '" 5 "'),
    ),
    ColumnType.DECIMAL: (
        *("0.1", '"0.1"', "12", "1e-10", "0.00001", "1E5", "1e16", "123456789.123456789", "-0.0", "null"),
        *(
            '"1E+3"',
            "9007199254740993",
            "0.12345678901234567",
            "true",
            "NaN",
            '"1e400"',
            "12345678901234567890.5",
        ),
        *('"0.50"', '"n/a"', "1e22", "-Infinity", '""', "[1]", "18446744073709551616"),
    ),
    ColumnType.BOOLEAN: ("true", "false", "1", "0", '"TRUE"', "null", '"perhaps"', "1.0", "{}", '" false "'),
    ColumnType.TEXT: (
        *(
            '"plain"',
            '"\u00fcml\u00e4ut \U0001f600 \u2028"',
            r'"\ud83d\ude00"',
            r'"half \ud800 of one"',
            "123",
            "1.50",
        ),
        *(
            r'"tab\tline\nquote\"back\\slash\rreturn"',
            r'"\u0000zero"',
            r'"\u001f\u007f"',
            '"a,b;c"',
            "true",
            "null",
        ),
        *(
            "12345678901234567890123",
            "1e400",
            '{"id": 1}',
            '" "',
            '"=1+1"',
            '"\'"',
            r'"\\N"',
            '""',
            "-0.0",
            "1e-7",
        ),
    ),
    ColumnType.TIMESTAMP: (
        *(
            '"2021-11-18T08:25:53.000+0000"',
            '"2021-10-06T10:42:58.298Z"',
            '"2021-10-06 10:42:58"',
            '"2021-10-06"',
        ),
        *('"2021-11-18T10:25:53+02:00"', '" 2021-11-18 08:25:53 "', "1700000000", '"yesterday"', "null"),
        *(
            '"0001-01-01T00:00:00+02:00"',
            '"1000-01-01"',
            '"20211006T104258"',
            '"2021-10-06T10:42:58.123456Z"',
        ),
    ),
    ColumnType.DATE: ('"2024-05-01"', '"2024-05-01T23:30:00-02:00"', '"TOTAL"', "null"),
    ColumnType.JSON: (
        *('[1, 2.50, "x"]', '{"a": {"b": [1e16, 1e-5, -0.0, 0.1, 1E5, null, true]}}', "[]", "{}", '"text"'),
        *(
            r'{"half": "\ud800", "\u00fc": "\u0000", "x": "\ud83d\ude00"}',
            '{"token": "abc", "k": 1}',
            "[1e400]",
        ),
        *(
            "[12345678901234567890123]",
            "[NaN]",
            _DEEP,
            '{"b": 1, "a": 2, "b": 3}',
            '["=1", "a\\tb", "\\\\N"]',
        ),
    ),
}
_MORE = (
    '"colour": "red", "deep": ' + _DEEP,
    '"big": 12345678901234567890123, "float": 1e-7, "whole": 1e16, "none": null',
    r'"nan": NaN, "far": -Infinity, "half": "\ud800", "zero": "\u0000", "list": [{"x": ["", null]}]',
    '"api_token": "abc", "nested": {"password": "abc", "name": "x"}, "same": 1, "same": "2"',
)


class _Text(str):
    """JSON that is written as it is."""

    __slots__ = ()


def _dump(value: Any) -> str:
    if isinstance(value, dict):
        items = ", ".join(f"{json.dumps(name)}: {_dump(item)}" for name, item in value.items())
        return f"{{{items}}}"
    return str(value) if isinstance(value, _Text) else json.dumps(value)


def _row(fields: tuple[Column, ...], number: int, given: dict[str, Any]) -> str:
    """Return one row as text: each column has the next one of its type's forms, but those that are given."""
    row: dict[str, Any] = {}
    for place, column in enumerate(fields):
        forms = FORMS[column.type]
        for path in column.paths[: 1 + number % 2]:
            if path in given:
                continue
            *above, last = path.split(".")
            part = row
            for name in above:
                part = part.setdefault(name, {})
                if not isinstance(part, dict):
                    break
            else:
                part.setdefault(last, _Text(forms[(number + 3 * place) % len(forms)]))
    for name in list(row):
        if isinstance(row[name], dict) and number % 5 == 4:
            row[name]["more"] = _Text(FORMS[ColumnType.TEXT][number % 8])
    return f"{_dump({**given, **row})[:-1]}, {_MORE[number % len(_MORE)]}}}"


def rows_of(stream: Stream, *, ids: tuple[str, ...] = ("id",), **given: Any) -> list[str]:
    """Return rows for a stream, each as text."""
    most = 24 if stream.name in MANY else 4
    return [
        _row(
            stream.fields,
            number,
            {
                **dict.fromkeys(ids, number + 1),
                **{name: values[number % len(values)] for name, values in given.items()},
            },
        )
        for number in range(most)
    ]


def _days(stream: Stream) -> list[str]:
    return [*rows_of(stream, ids=(), date=DAYS), '{"date": "TOTAL", "data": {"volume": 1}}']


def _hours() -> str:
    decimals = FORMS[ColumnType.DECIMAL]
    volumes = ", ".join(f'["{hour:02}:00", {decimals[hour]}]' for hour in range(24))
    return f'{{"data": {{"rx": [{volumes}], "tx": [{volumes}, ["TOTAL", 5]]}}, "sms": {{}}}}'


def _month(stream: Stream) -> str:
    this = '"current_month": {"month": "2024-05", "data": {"volume": 1.50}}'
    return f'{{{this}, "last_month": {{"month": "2024-04"}}, {rows_of(stream, ids=())[1][1:]}'


def answers(stream: Stream) -> Iterator[tuple[str, str, int | None]]:
    """Yield path, body, and the number of rows of a list that comes in pages, of each request of a stream."""
    if stream.devices is not None:
        devices = {"endpoint": "/api/v1/endpoint", "sim": "/api/v1/sim"}[stream.devices]
        yield devices, json.dumps([{"id": number + 1} for number in range(DEVICES)]), DEVICES
    if stream.name == "organisation_usage_monthly":
        yield stream.path, _month(stream), None
    elif stream.name == "organisation_usage_hourly":
        yield stream.path, _hours(), None
    elif stream.name == "workspace_usage_daily":
        days = ", ".join(_days(stream))
        yield stream.path, f'[{{"id": 5, "days": [{days}]}}, {{"id": "6", "days": [{days}]}}]', None
    elif stream.cursor == "date":
        yield stream.path, f"[{', '.join(_days(stream))}]", None
    elif stream.name == "events":
        moments = [f"{day}T0{hour}:00:00.5Z" for day in DAYS[:2] for hour in range(9)]
        rows = rows_of(stream, timestamp=moments)
        yield stream.path, f"[{', '.join(rows)}]", len(rows)
    elif stream.devices is not None and stream.name != "sms":
        yield stream.path, rows_of(stream, ids=())[len(stream.name) % 4], None
    else:
        rows = rows_of(stream)
        if stream.name == "tags":
            pages = f'"total": {len(rows)}, "page": 1, "page_size": 100, "last_page": 1'
            yield stream.path, f'{{{pages}, "data": [{", ".join(rows)}]}}', None
            return
        if stream.small:
            rows.append(rows[0])  # of two with the same key, the last counts
        yield stream.path, f"[{', '.join(rows)}]", len(rows)


def answer_oddly(sandbox: Sandbox, stream: Stream) -> None:
    """Have a sandbox answer the requests of a stream with these rows."""
    sandbox.faults.clear()
    for path, body, total in answers(stream):
        headers = {"Content-Type": "application/json"}
        if total is not None:
            names = ("X-Current-Page", "X-Total-Pages", "X-Total-Count", "X-Count-Per-Page")
            headers |= dict(zip(names, map(str, (1, 1, total, total)), strict=True))
        sandbox.faults.add(
            method="GET", path=path, status=200, body=body.encode(), headers=headers, times=None
        )
