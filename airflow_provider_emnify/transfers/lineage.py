"""What a transfer has written, in the form of Airflow's lineage and of OpenLineage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.streams.columns import Column

log = one_line_log(__name__)

_PORTS = {"postgres": 5432, "mysql": 3306}
_SCHEMAS = {"postgres": "public"}


@dataclass(frozen=True)
class Output:
    """Something that was written, or read.

    :param uri: Its URI, for assets and hook lineage.
    :param namespace: Its namespace in OpenLineage.
    :param name: Its name there.
    :param rows: How many rows were written to it.
    :param size: How many bytes, where that is known.
    """

    uri: str
    namespace: str
    name: str
    rows: int
    size: int | None = None


def output_of_path(uri: str, rows: int = 0, size: int | None = None) -> Output:
    """Return the output that a path in an object storage is, or a stream by the URI of its asset."""
    parts = urlsplit(uri)
    if parts.scheme in {"", "file"}:
        return Output(f"file://{parts.path}", "file", parts.path, rows, size)
    return Output(uri, f"{parts.scheme}://{parts.netloc}", parts.path.strip("/") or "/", rows, size)


def output_of_table(hook: Any, conn_id: str, schema: str | None, table: str, rows: int) -> Output:
    """Return the output that a table is, by what its hook or its connection says of the database.

    :param hook: The ``DbApiHook``.
    :param conn_id: Id of its connection.
    """
    scheme, authority, database, default = _database(hook, hook.get_connection(conn_id))
    # What Airflow calls a schema is a database of MySQL.
    above = [schema or database] if scheme == "mysql" else [database, schema or default]
    names = [part for part in (*above, table) if part]
    quoted = [quote(name, safe="/" if name == database else "") for name in names]  # SQLite's is a path
    uri = f"{scheme}://{authority}/{'/'.join(quoted)}"
    return Output(uri, f"{scheme}://{authority}", ".".join(names), rows)


def _database(hook: Any, connection: Any) -> tuple[str, str, str | None, str | None]:
    """Return a database's scheme, authority, name and the schema that is meant when none is named."""
    try:  # many hooks cannot tell without OpenLineage's provider
        if info := hook.get_openlineage_database_info(connection):
            named = info.database or connection.schema
            return info.scheme, info.authority or "", named, hook.get_openlineage_default_schema()
    except Exception as error:  # the rows are written: nothing depends on what they are called
        log.debug("The hook cannot tell about its database: %s", error)
    kind = connection.conn_type
    if kind in {"sqlite", "duckdb"}:  # a file
        return kind, "", (connection.host or "").strip("/"), None
    port = connection.port or _PORTS.get(kind)
    authority = f"{connection.host or 'localhost'}{f':{port}' if port else ''}"
    return kind, authority, connection.schema, _SCHEMAS.get(kind)


def report(context: Any, inputs: Iterable[str], outputs: Iterable[str]) -> None:
    """Tell Airflow's hook lineage what was read and written. A task does not fail by it.

    :param context: The hook or the operator.
    :param inputs: URIs of what was read.
    :param outputs: URIs of what was written.
    """
    from airflow_provider_emnify.airflow_names import get_hook_lineage_collector

    try:
        collector: Any = get_hook_lineage_collector()
        asset = "asset" if hasattr(collector, "add_input_asset") else "dataset"  # Airflow 2's word
        for side, uris in (("input", inputs), ("output", outputs)):
            for uri in uris:
                getattr(collector, f"add_{side}_{asset}")(context, uri=uri)
    except Exception as error:  # the rows are written
        log.warning("Could not report the lineage: %s", error)


def openlineage(columns: Sequence[Column], inputs: Sequence[Output], outputs: Sequence[Output]) -> Any:
    """Return the lineage of a transfer in OpenLineage's terms; None where its provider is not installed.

    :param columns: The columns of what was read, and of what was written.
    :param inputs: What was read.
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
    read = [InputDataset(namespace=one.namespace, name=one.name, facets=schema) for one in inputs]
    written = []
    for one in outputs:
        size = OutputStatisticsOutputDatasetFacet(rowCount=one.rows, size=one.size)
        facets = {"facets": schema, "outputFacets": {"outputStatistics": size}}
        written.append(OutputDataset(namespace=one.namespace, name=one.name, **facets))
    return OperatorLineage(inputs=read, outputs=written)
