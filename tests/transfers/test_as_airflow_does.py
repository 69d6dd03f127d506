"""What each transfer goes through before ``execute``: templates, mapping, serialization; and the assets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.serialization import serialized_objects

from airflow_provider_emnify.airflow_names import DAG, BaseOperator
from airflow_provider_emnify.assets import (
    convert_asset_to_openlineage,
    create_asset,
    emnify_asset,
    sanitize_uri,
)
from airflow_provider_emnify.transfers.data_stream_files import (
    EmnifyDataStreamFilesToObjectStorageOperator,
    EmnifyDataStreamFilesToSqlOperator,
)
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator
from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator
from tests.fleets import WITH_EVENTS
from tests.operators.support import unmap
from tests.test_provider_info import is_installed

EACH: list[Any] = [
    (EmnifyToSqlOperator, {"stream": "sims", "sql_conn_id": "w"}, "table", "t{{ params.x }}"),
    (EmnifyToSqlOperator, {"sql_conn_id": "w"}, "stream", "{{ params.x }}"),
    (EmnifyToObjectStorageOperator, {"stream": "sims"}, "path", "/lake/{{ params.x }}"),
    (EmnifyDataStreamFilesToSqlOperator, {"sql_conn_id": "w"}, "path", "/stream/{{ params.x }}"),
    (
        EmnifyDataStreamFilesToObjectStorageOperator,
        {"target_path": "/lake"},
        "path",
        "/stream/{{ params.x }}",
    ),
]
each = pytest.mark.parametrize(("kind", "shared", "field", "template"), EACH)

pytestmark = pytest.mark.fleet(**WITH_EVENTS)


def dag() -> DAG:
    return DAG("fleet", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC))


def rendered(template: str) -> str:
    return "sims" if template == "{{ params.x }}" else template.replace("{{ params.x }}", "7")


@each
def test_its_templates_are_rendered(kind: Any, shared: Any, field: str, template: str) -> None:
    with dag():
        operator = kind(task_id="t", **shared, **{field: template})
    operator.render_template_fields({"params": {"x": "sims" if field == "stream" else 7}})
    assert getattr(operator, field) == rendered(template)


@each
def test_every_template_field_is_an_attribute(kind: Any, shared: Any, field: str, template: str) -> None:
    operator = kind(task_id="t", **shared, **{field: template})
    for name in operator.template_fields:
        getattr(operator, name)
    assert set(operator.template_fields_renderers) <= set(operator.template_fields)


@each
def test_it_can_be_mapped(kind: Any, shared: Any, field: str, template: str) -> None:
    with dag():
        mapped = kind.partial(task_id="t", retries=3, **shared).expand(**{field: [rendered(template)]})
    operator = unmap(mapped, **{field: rendered(template)})
    assert getattr(operator, field) == rendered(template)
    assert operator.retries == 3
    assert len(operator.outlets) == 1


@each
def test_an_instance_of_a_mapped_one_is_called_by_what_it_transfers(
    kind: Any, shared: Any, field: str, template: str
) -> None:
    with dag() as made:
        mapped = kind.partial(task_id="t", **shared).expand(**{field: [rendered(template)]})
        named = kind.partial(task_id="n", map_index_template="{{ task.task_id }}", **shared)
        assert named.expand(**{field: [rendered(template)]}).map_index_template == "{{ task.task_id }}"
    operator = unmap(mapped, **{field: rendered(template)})
    label = made.get_template_env().from_string(mapped.map_index_template).render({"task": operator})
    assert label == ("sims" if "stream" in kind.template_fields else "usage")


@each
def test_it_can_take_another_task_s_result(kind: Any, shared: Any, field: str, template: str) -> None:
    with dag():
        first = BaseOperator(task_id="first")
        operator = kind(task_id="b", **shared, **{field: first.output})
    assert operator.upstream_task_ids == {"first"}


@each
def test_it_survives_serialization(kind: Any, shared: Any, field: str, template: str) -> None:
    with dag() as made:
        kind(task_id="t", **shared, **{field: template})
        kind.partial(task_id="m", **shared).expand(**{field: [rendered(template)]})
    serialization = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)
    again = serialization.from_dict(serialization.to_dict(made))
    assert set(again.task_ids) == {"t", "m"}
    assert list(again.get_task("t").template_fields) == list(kind.template_fields)


# -- assets -----------------------------------------------------------------------------------------------


def test_an_asset_is_the_same_on_both_sides() -> None:
    operator = EmnifyToSqlOperator(task_id="x", stream="sims", sql_conn_id="w", organisation=100)
    assert operator.outlets == [emnify_asset("sims", 100)]
    assert emnify_asset("sims").uri == "emnify://emnify_default/sims"


def test_a_connection_s_id_becomes_fit_for_a_uri() -> None:
    operator = EmnifyToSqlOperator(task_id="x", stream="sims", sql_conn_id="w", emnify_conn_id="my fleet/1")
    assert operator.outlets[0].uri == "emnify://my-fleet-1/sims"


@pytest.mark.parametrize("uri", ["emnify:///sims", "emnify://100/", "emnify://100/simz", "emnify://a b/sims"])
def test_a_uri_that_is_no_stream_is_an_error(uri: str) -> None:
    with pytest.raises(ValueError, match="emnify://"):
        sanitize_uri(urlsplit(uri))


@pytest.mark.skipif(not is_installed(), reason="runs from a checkout that is not installed")
def test_airflow_checks_the_uris_of_emnify() -> None:
    from airflow_provider_emnify.airflow_names import Asset

    assert Asset(uri="emnify://100/sims/").uri == "emnify://100/sims"
    if not hasattr(Asset, "name"):  # Airflow 2.11 only warns, unless it is told to be strict
        return
    with pytest.raises(ValueError, match="'simz' is not a valid stream"):
        Asset(uri="emnify://100/simz")


def test_an_asset_in_openlineage_is_namespace_and_name() -> None:
    pytest.importorskip("openlineage.client")
    dataset = convert_asset_to_openlineage(create_asset(organisation=100, stream="sims"), None)
    assert (dataset.namespace, dataset.name) == ("emnify://100", "sims")
