from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify import arguments
from airflow_provider_emnify.airflow_names import DAG
from airflow_provider_emnify.hooks import masking
from airflow_provider_emnify.operators.euicc import EmnifyEuiccOperationOperator

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE = "LPA:1$smdp.example.org$MATCHING-ID-7"


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What has been masked so far."""
    seen: list[str] = []
    monkeypatch.setattr(arguments, "mask", seen.append)
    monkeypatch.setattr(masking, "mask", seen.append)
    return seen


def download(**arguments: Any) -> EmnifyEuiccOperationOperator:
    return EmnifyEuiccOperationOperator(task_id="t", euicc_ids=1, action="Download profile", **arguments)


def test_a_masked_argument_is_masked_before_airflow_stores_what_was_rendered(masked: list[str]) -> None:
    with DAG("fleet", schedule=None):
        operator = download(activation_code="{{ params.code }}")
    assert masked == []
    operator.render_template_fields({"params": {"code": CODE}})
    assert operator.activation_code == CODE
    assert masked == [CODE]


def test_a_masked_argument_is_masked_when_it_is_mapped(masked: list[str]) -> None:
    with DAG("fleet", schedule=None):
        mapped = EmnifyEuiccOperationOperator.partial(task_id="m", euicc_ids=1, action=1).expand(
            activation_code=[CODE]
        )
    assert mapped.unmap({"activation_code": CODE}).activation_code == CODE
    assert CODE in masked


def test_a_masked_argument_may_be_absent(masked: list[str]) -> None:
    assert download().activation_code is None
    assert masked == []


def test_the_class_itself_has_no_value() -> None:
    assert EmnifyEuiccOperationOperator.activation_code.__class__.__name__ == "MaskedArgument"


def test_all_that_a_connection_holds_is_masked(masked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"headers": ["Authorization: abcdefgh"], "nested": {"url": "https://example.org/x"}, "size": 7}
    connection = {"conn_type": "generic", "password": "pass-word-1", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SINK", json.dumps(connection))
    assert masking.masked_connection("sink").password == "pass-word-1"
    assert masked == ["pass-word-1", "Authorization: abcdefgh", "https://example.org/x"]
