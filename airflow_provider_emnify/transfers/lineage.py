"""What a transfer has written, as Airflow's lineage and OpenLineage want to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emnify.api.stream_columns import Column


@dataclass(frozen=True)
class Output:
    """Something that was written.

    :param uri: Its URI, for assets and hook lineage.
    :param namespace: Its namespace in OpenLineage.
    :param name: Its name there.
    :param rows: How many rows were written.
    :param size: How many bytes, where that is known.
    """

    uri: str
    namespace: str
    name: str
    rows: int
    size: int | None = None


def output_of_path(uri: str, rows: int, size: int | None) -> Output:
    """Return the output that a path in an object storage is."""
    parts = urlsplit(uri)
    if parts.scheme in {"", "file"}:
        return Output(f"file://{parts.path}", "file", parts.path, rows, size)
    return Output(uri, f"{parts.scheme}://{parts.netloc}", parts.path.strip("/") or "/", rows, size)


def output_of_table(hook: Any, conn_id: str, schema: str | None, table: str, rows: int) -> Output:
    """Return the output that a table is, by what its hook says of the database.

    :param hook: The ``DbApiHook``.
    :param conn_id: Id of its connection.
    """
    connection = hook.get_connection(conn_id)
    info = None
    if hasattr(hook, "get_openlineage_database_info"):
        info = hook.get_openlineage_database_info(connection)
    if info is None:
        database = (connection.schema or connection.host or "").strip("/")
        scheme, authority = connection.conn_type, ""
    else:
        database = info.database or connection.schema or ""
        scheme, authority = info.scheme, info.authority or ""
        schema = schema or hook.get_openlineage_default_schema()
    path = [part for part in (database, schema, table) if part]
    return Output(f"{scheme}://{authority}/{'/'.join(path)}", f"{scheme}://{authority}", ".".join(path), rows)


def openlineage(source: str, columns: Sequence[Column], outputs: Sequence[Output]) -> Any:
    """Return the lineage of a transfer in OpenLineage's terms; None where its provider is not installed.

    :param source: URI of the stream.
    :param columns: The columns of the stream, and of what was written.
    :param outputs: What was written.
    """
    try:
        from airflow.providers.common.compat.openlineage.facet import (
            InputDataset,
            OutputDataset,
            OutputStatisticsOutputDatasetFacet,
            SchemaDatasetFacet,
            SchemaDatasetFacetFields,
        )
        from airflow.providers.openlineage.extractors import OperatorLineage
    except ImportError:
        return None
    fields = [SchemaDatasetFacetFields(name=column.name, type=column.type.value) for column in columns]
    schema: dict[str, Any] = {"schema": SchemaDatasetFacet(fields=fields)}
    parts = urlsplit(source)
    namespace = f"{parts.scheme}://{parts.netloc}"
    return OperatorLineage(
        inputs=[InputDataset(namespace=namespace, name=parts.path.strip("/"), facets=schema)],
        outputs=[
            OutputDataset(
                namespace=output.namespace,
                name=output.name,
                facets=schema,
                outputFacets={
                    "outputStatistics": OutputStatisticsOutputDatasetFacet(
                        rowCount=output.rows, size=output.size
                    )
                },
            )
            for output in outputs
        ],
    )
