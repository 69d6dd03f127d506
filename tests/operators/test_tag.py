from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyPartialError
from airflow_provider_emnify.operators.tag import EmnifyAddTagsOperator, EmnifyRemoveTagsOperator
from airflow_provider_emnify.sandbox.world.records.fleet import Tag
from tests.fleets import ids_of
from tests.operators.support import context, without_retries

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

TAGS = "/api/v2/tags"
ADD = "/api/v2/bulk-operations/endpoint/add-tags"
REMOVE = "/api/v2/bulk-operations/endpoint/remove-tags"


def there(fleet: Sandbox, name: str) -> int:
    tag = Tag(fleet.state.next_id("tag"), name, 1)
    fleet.state.tags[tag.id] = tag
    return tag.id


def tagged(sandbox: Sandbox) -> None:
    """Leave the tags pump (1), berlin (2) and pumpkin (3)."""
    sandbox.state.tags.clear()
    for name in ("pump", "berlin", "pumpkin"):
        there(sandbox, name)


pytestmark = pytest.mark.fleet(8, prepare=tagged)


def add(fleet: Sandbox, **arguments: Any) -> EmnifyAddTagsOperator:
    return EmnifyAddTagsOperator(task_id="t", **{"endpoint_ids": ids_of(fleet), **arguments})


def remove(fleet: Sandbox, **arguments: Any) -> EmnifyRemoveTagsOperator:
    return EmnifyRemoveTagsOperator(task_id="t", **{"endpoint_ids": ids_of(fleet), **arguments})


def names(fleet: Sandbox) -> list[set[str]]:
    return [
        {fleet.state.tags[number].name for number in fleet.state.endpoints[key].tag_ids}
        for key in ids_of(fleet)
    ]


def give(fleet: Sandbox, number: int, *tag_names: str) -> None:
    ids = {tag.name: tag.id for tag in fleet.state.tags.values()}
    fleet.state.endpoints[ids_of(fleet)[number]].tag_ids = tuple(ids[name] for name in tag_names)


class TestAdd:
    @pytest.mark.parametrize("tags", ["pump,berlin", ["pump", "berlin"], "['pump', 'berlin']"])
    def test_each_endpoint_gets_each_tag(self, fleet: Sandbox, tags: Any) -> None:
        assert add(fleet, tags=tags).execute(context()) == ids_of(fleet)
        assert names(fleet) == [{"pump", "berlin"}] * 8
        assert fleet.counts[f"POST {ADD}"] == 1

    def test_ids_will_do(self, fleet: Sandbox) -> None:
        ids = [tag.id for tag in fleet.state.tags.values() if tag.name != "pumpkin"]
        add(fleet, tag_ids=str(ids), endpoint_ids=ids_of(fleet)[0]).execute(context())
        assert names(fleet)[0] == {"pump", "berlin"}

    @pytest.mark.parametrize("count", [3, 8], ids=["one by one", "from the list"])
    def test_a_tag_that_is_there_is_done(self, fleet: Sandbox, count: int) -> None:
        give(fleet, 0, "pump", "berlin")
        give(fleet, 1, "pump", "pumpkin")
        add(fleet, tags="pump,berlin", endpoint_ids=ids_of(fleet)[:count]).execute(context())
        assert names(fleet)[:3] == [{"pump", "berlin"}, {"pump", "berlin", "pumpkin"}, {"pump", "berlin"}]
        add(fleet, tags="pump,berlin", endpoint_ids=ids_of(fleet)[:count]).execute(context())
        assert fleet.counts[f"POST {ADD}"] == 1

    def test_a_missing_tag_fails_before_anything_is_changed(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="there is no tag 'Pump', 'pum'; nothing was changed"):
            add(fleet, tags="pump,Pump,pum").execute(context())
        assert names(fleet) == [set()] * 8

    def test_a_missing_endpoint_fails_before_a_tag_is_created(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="no endpoint 7; nothing was changed"):
            add(fleet, tags="new", endpoint_ids=[7], create_missing=True).execute(context())
        assert fleet.counts[f"POST {TAGS}"] == 0

    def test_a_missing_tag_is_created_if_asked(self, fleet: Sandbox) -> None:
        add(fleet, tags="pump,new", create_missing=True).execute(context())
        assert names(fleet) == [{"pump", "new"}] * 8

    def test_a_lost_answer_creates_no_second_tag(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=TAGS, drop="after")
        add(fleet, tags="new", create_missing=True).execute(context())
        assert [tag.name for tag in fleet.state.tags.values()].count("new") == 1
        assert names(fleet) == [{"new"}] * 8

    def test_a_lost_answer_to_one_of_several_new_tags_keeps_none_of_them_from_it(
        self, fleet: Sandbox
    ) -> None:
        fleet.faults.add(method="POST", path=TAGS, drop="after")
        add(fleet, tags="new,newer,pump,newest", create_missing=True).execute(context())
        assert sorted(tag.name for tag in fleet.state.tags.values() if "new" in tag.name) == [
            "new",
            "newer",
            "newest",
        ]
        assert names(fleet) == [{"new", "newer", "pump", "newest"}] * 8

    def test_a_lost_request_is_sent_again(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=TAGS, drop="before")
        add(fleet, tags="new,newer", create_missing=True).execute(context())
        assert names(fleet) == [{"new", "newer"}] * 8

    def test_tags_are_looked_for_once_and_again_only_when_an_answer_is_lost(self, fleet: Sandbox) -> None:
        add(fleet, tags="pump,new", create_missing=True).execute(context(try_number=2))
        assert fleet.counts[f"GET {TAGS}"] == 2  # one for each name

    def test_what_another_run_creates_meanwhile_is_used(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=TAGS, do=lambda: there(fleet, "new"))
        add(fleet, tags="new", create_missing=True).execute(context())
        assert names(fleet) == [{"new"}] * 8

    def test_a_lost_answer_assigns_nothing_twice(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=ADD, drop="after")
        add(fleet, tags="pump").execute(context())
        assert names(fleet) == [{"pump"}] * 8
        assert fleet.counts[f"POST {ADD}"] == 1

    def test_what_another_run_assigns_meanwhile_is_done(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=ADD, do=lambda: give(fleet, 2, "pump"))
        add(fleet, tags="pump").execute(context())
        assert names(fleet) == [{"pump"}] * 8

    def test_a_failed_request_is_completed_by_the_next_try(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_retries(fleet, monkeypatch)
        fleet.faults.add(method="POST", path=ADD, partial=3)
        with pytest.raises(EmnifyPartialError) as caught:
            add(fleet, tags="pump").execute(context())
        assert len(caught.value.done) == 3
        add(fleet, tags="pump").execute(context(try_number=2))
        assert names(fleet) == [{"pump"}] * 8

    @pytest.mark.parametrize(
        "arguments",
        [
            {},
            {"tags": ""},
            {"tags": ["a,b"]},
            {"tags": " , "},
        ],
    )
    def test_bad_arguments_are_refused_when_the_dag_is_parsed(
        self, fleet: Sandbox, arguments: dict[str, Any]
    ) -> None:
        with pytest.raises(ValueError, match="tags"):
            add(fleet, **arguments)

    def test_nothing_is_done_for_nothing(self, fleet: Sandbox) -> None:
        assert add(fleet, tags="pump", endpoint_ids="[]").execute(context()) == []
        assert remove(fleet, tags="pump", endpoint_ids="[]").execute(context()) == []
        assert fleet.requests == 0


class TestRemove:
    @pytest.mark.parametrize("count", [3, 8], ids=["one by one", "from the list"])
    def test_only_what_is_there_is_taken(self, fleet: Sandbox, count: int) -> None:
        give(fleet, 0, "pump", "berlin")
        give(fleet, 1, "pumpkin")
        ids = ids_of(fleet)[:count]
        assert remove(fleet, tags="pump,gone", endpoint_ids=ids).execute(context()) == ids
        assert names(fleet)[:3] == [{"berlin"}, {"pumpkin"}, set()]
        remove(fleet, tags="pump", endpoint_ids=ids).execute(context())
        assert fleet.counts[f"POST {REMOVE}"] == 1
        assert len(fleet.state.tags) == 3

    def test_a_lost_answer_is_no_error(self, fleet: Sandbox) -> None:
        give(fleet, 0, "pump")
        fleet.faults.add(method="POST", path=REMOVE, drop="after")
        remove(fleet, tags="pump").execute(context())
        assert names(fleet) == [set()] * 8

    def test_what_another_run_takes_meanwhile_is_done(self, fleet: Sandbox) -> None:
        give(fleet, 0, "pump")
        give(fleet, 1, "pump")
        fleet.faults.add(method="POST", path=REMOVE, do=lambda: give(fleet, 1))
        remove(fleet, tags="pump").execute(context())
        assert names(fleet) == [set()] * 8

    def test_a_missing_endpoint_is_named(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="no endpoint 7"):
            remove(fleet, tags="pump", endpoint_ids=7).execute(context())
