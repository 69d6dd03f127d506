"""Tags: their envelope, their names, and the endpoints that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

TAGS = "/api/v2/tags"
ADD, REMOVE = (f"/api/v2/bulk-operations/endpoint/{what}-tags" for what in ("add", "remove"))
ONE, TWO = 1_000_001, 1_000_002


pytestmark = pytest.mark.fleet(3)


@pytest.fixture
def tagger(fleet: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(fleet)


def items(*pairs: tuple[int, list[int]]) -> dict[str, Any]:
    return {
        "items": [
            {"endpoint": {"id": endpoint}, "tags": [{"id": tag} for tag in tags]} for endpoint, tags in pairs
        ]
    }


def test_tags_come_in_an_envelope_of_their_own(tagger: Api) -> None:
    for number in range(5):
        assert tagger.post(TAGS, {"name": f"tag {number}"}).status_code == 201
    page = tagger.get(TAGS, page=2, page_size=3)
    assert "X-Total-Pages" not in page.headers
    body = page.json()
    assert {key: body[key] for key in ("total", "page", "page_size", "last_page")} == {
        "total": 7,
        "page": 2,
        "page_size": 3,
        "last_page": 3,
    }
    assert [row["id"] for row in body["data"]] == [4, 5, 6]
    assert tagger.get(TAGS, page=99, page_size=3).json()["page"] == 3
    assert [row["name"] for row in tagger.get(TAGS, name="TRACK").json()["data"]] == ["tracker"]
    assert tagger.get(TAGS, name="none").json() == {
        "total": 0,
        "page": 1,
        "page_size": 50,
        "last_page": 1,
        "data": [],
    }


def test_a_name_exists_once(tagger: Api) -> None:
    made = tagger.post(TAGS, {"name": "fleet", "color": {"id": 3}})
    assert (made.status_code, made.json()) == (201, {"id": 3, "name": "fleet", "tag_color": {"id": 3}})
    again = tagger.post(TAGS, {"name": "fleet"})
    assert (again.status_code, again.json()["error_token"]) == (409, "Duplicated")
    assert tagger.patch(f"{TAGS}/1", {"name": "fleet"}).status_code == 409
    assert tagger.patch(f"{TAGS}/3", {"name": "fleet", "color": {"id": 1}}).status_code == 204
    assert tagger.get(TAGS, name="fleet").json()["data"][0]["tag_color"] == {"id": 1}


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize(
    ("body", "status"), [({}, 422), ({"name": ""}, 422), ({"name": "x", "color": {"id": 99}}, 422)]
)
def test_a_bad_tag_is_refused(tagger: Api, body: dict[str, Any], status: int) -> None:
    assert tagger.post(TAGS, body).status_code == status


def test_a_deleted_tag_is_gone_from_its_endpoints(fleet: Sandbox, tagger: Api) -> None:
    assert tagger.post(ADD, items((ONE, [1, 2]), (TWO, [1]))).status_code == 200
    rows = tagger.get(TAGS).json()["data"]
    assert [row["resource_count"] for row in rows] == [2, 1]
    assert tagger.delete(f"{TAGS}/1").status_code == 204
    assert tagger.delete(f"{TAGS}/1").status_code == 404
    assert fleet.state.endpoints[ONE].tag_ids == (2,)
    assert tagger.post("/api/v2/bulk-operations/tag/delete-tags", {"tags": [{"id": 2}]}).status_code == 200
    assert tagger.get(TAGS).json()["total"] == 0
    assert tagger.get(f"/api/v1/endpoint/{ONE}").json()["tag_assignments"] == []


def test_tags_are_added_to_all_or_to_none(fleet: Sandbox, tagger: Api) -> None:
    assert tagger.post(f"/api/v2/endpoint/{TWO}/tags", {"id": 1}).status_code == 201
    for body, status in (
        (items((ONE, [1]), (TWO, [1])), 409),
        (items((ONE, [1, 1])), 409),
        (items((ONE, [1]), (7, [1])), 422),
        (items((ONE, [1, 99])), 422),
        (items(), 422),
    ):
        assert tagger.post(ADD, body).status_code == status
        assert fleet.state.endpoints[ONE].tag_ids == ()


def test_tags_are_removed_from_all_or_from_none(fleet: Sandbox, tagger: Api) -> None:
    tagger.post(ADD, items((ONE, [1, 2])))
    assert tagger.post(REMOVE, items((ONE, [1]), (TWO, [1]))).status_code == 422
    assert fleet.state.endpoints[ONE].tag_ids == (1, 2)
    assert tagger.post(REMOVE, items((ONE, [1]))).status_code == 200
    assert [row["name"] for row in tagger.get(f"/api/v2/endpoint/{ONE}/tags").json()] == ["tracker"]


def test_a_fault_adds_the_first_tags_only(fleet: Sandbox, tagger: Api) -> None:
    fleet.faults.add(path=ADD, partial=1)
    assert tagger.post(ADD, items((ONE, [1]), (TWO, [1]))).status_code == 500
    assert [endpoint.tag_ids for endpoint in fleet.state.endpoints.values()] == [(1,), (), ()]
