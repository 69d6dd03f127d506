"""``python -m airflow_provider_emnify.api``."""

from __future__ import annotations

import pytest

from airflow_provider_emnify.api.__main__ import main, operations
from airflow_provider_emnify.api.resources import RESOURCES, operations_of


def test_the_table_has_a_row_for_each_call_in_the_order_of_paths(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    head, line, *rows = capsys.readouterr().out.splitlines()
    assert head == "| operation | call | paged | limit | secret |"
    assert line == "| --- | --- | --- | --- | --- |"
    assert len(rows) == sum(len(operations_of(resource)) for resource in RESOURCES.values())
    assert [operation.path for _, operation in operations()] == sorted(
        operation.path for _, operation in operations()
    )
    assert "| `GET /api/v1/endpoint` | `client.endpoints.list` | yes | 10/s |  |" in rows
    assert (
        "| `POST /api/v1/authenticate` | `client.authentication.authenticate` |  | authenticate | yes |"
        in rows
    )


def test_an_unknown_page_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["nothing"])
    assert caught.value.code == 2
