"""A SIM batch is registrable only where the answer is the documented one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_emnify.api import EmnifyServerError
from airflow_provider_emnify.api.enums import SimBatchState
from airflow_provider_emnify.api.waits.wait import WAITS


def read(body: Any) -> Any:
    client: Any = SimpleNamespace(sim_batches=SimpleNamespace(validate=lambda bic: body))
    return WAITS["sim_batch"].read(client, "4423")


@pytest.mark.parametrize("bic", ["4423", 4423, " 4423 "])
def test_the_documented_answer_says_registrable(bic: Any) -> None:
    assert read({"id": 7, "bic": bic}).value == SimBatchState.REGISTRABLE.value


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        "4423",
        {"sim": []},
        {"bic": 5},
        {"bic": "4424"},
        {"bic": None},
        {"message": "maintenance"},
    ],
)
def test_any_other_answer_is_a_server_error(body: Any) -> None:
    with pytest.raises(EmnifyServerError, match="4423 does not name that batch"):
        read(body)
