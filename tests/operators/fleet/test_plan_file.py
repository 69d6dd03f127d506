"""A plan as a file: what was changed by hand, cut or made for others is not carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from tests.operators.fleet.conftest import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(10)


@pytest.fixture
def path(fleet: Sandbox, plan: Callable[..., Any], tmp_path: Path) -> Path:
    """A plan that gives ten devices a name."""
    plan(devices=rows_of(fleet, name="x"))
    return tmp_path / "plan.jsonl"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n{", "\n\n{"),
        ('"action": "change"', '"action": "explode"'),
        ('"to": {"name": ', '"to": {"nmae": '),
        ('"to": {"name": "x"}', '"to": null'),
        ('"to": {"name": "x"}', '"to": {"name": 7}'),
        ('"to": {"name": "x"}', '"to": {"sim_status": "deleted"}'),
    ],
)
def test_what_it_says_is_checked(
    fleet: Sandbox, path: Path, apply: Callable[..., Any], old: str, new: str
) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(AirflowFailException, match="is not a plan of a fleet"):
        apply(str(path))
    assert fleet.counts["PATCH /api/v2/endpoint/multi"] == 0


def test_one_that_was_cut_or_is_of_another_organisation_is_refused(
    fleet: Sandbox, path: Path, apply: Callable[..., Any]
) -> None:
    text = path.read_text()
    path.write_text("".join(text.splitlines(keepends=True)[:5]))
    with pytest.raises(AirflowFailException, match="has 4 changes, and was made with 10"):
        apply(str(path))
    path.write_text(text.replace('"organisation_id": ', '"organisation_id": 9'))
    with pytest.raises(AirflowFailException, match=r"is of organisation 9\d+, and the connection of"):
        apply(str(path))
    assert fleet.counts["PATCH /api/v2/endpoint/multi"] == 0
    path.write_text(text)
    assert apply(str(path))["done"] == 10
