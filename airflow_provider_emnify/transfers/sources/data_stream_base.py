"""What both transfers of Data Streamer files have in common: good records, others, assets and lineage."""

from __future__ import annotations

import contextlib
import fnmatch
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.airflow_names import BaseOperator
from airflow_provider_emnify.api.data_streamer.files import (
    OtherKind,
    RecordKind,
    Rejected,
    get_record_kind,
    read_records,
)
from airflow_provider_emnify.arguments import check_early, is_known, parse_text
from airflow_provider_emnify.assets import asset_uri, emnify_asset
from airflow_provider_emnify.hooks.task import EmnifyTask
from airflow_provider_emnify.transfers.lineage import Output, openlineage, output_of_path, report
from airflow_provider_emnify.transfers.object_storage import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.transfers.sinks.object_store import Store

Row = dict[str, Any]


@dataclass(frozen=True)
class SourceFile:
    """A file that the Data Streamer has delivered.

    :param path: Its path in the storage.
    :param name: Its path below the directory that is loaded.
    :param fingerprint: Changes when the file does.
    """

    path: str
    name: str
    fingerprint: str


@dataclass
class Count:
    """What came out of a file."""

    rows: int = 0
    rejected: int = 0
    other_kind: int = 0


class EmnifyDataStreamFilesOperator(EmnifyTask, BaseOperator):
    """Base of the transfers of Data Streamer files.

    :param path: Directory with the files, as a URL or a path on the local disk; whatever lies below it is
        loaded, except names that begin with ``_`` or ``.`` (templated).
    :param records: ``"usage"`` or ``"events"``: what the files hold (templated).
    :param pattern: Only files whose path below the directory looks like this, ``*.csv.gz`` (templated).
    :param storage_conn_id: Connection to the storage; it can stand in the path too (templated).
    :param rejected_path: Directory for what is no good record: for each file that has some a file of JSON
        lines with ``source``, ``line``, ``reason`` and ``row``. By default ``_rejected`` below ``path``
        (templated).
    :param organisation: What stands for the organisation in the asset's URI.
    """

    template_fields: Sequence[str] = ("path", "records", "pattern", "storage_conn_id", "rejected_path")
    ui_color = "#cfe8fc"
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        *,
        path: str,
        records: str = "usage",
        pattern: str = "*",
        storage_conn_id: str | None = None,
        rejected_path: str | None = None,
        organisation: int | str = "emnify_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.records = records
        self.pattern = pattern
        self.storage_conn_id = storage_conn_id
        self.rejected_path = rejected_path
        self.organisation = organisation
        self._outputs: list[Output] = []
        self._source: Output | None = None
        check_early(parse_text, path, "path")
        check_early(get_record_kind, records)
        if is_known(records):
            self.outlets = [*self.outlets, emnify_asset(get_record_kind(records).table, organisation)]

    def execute(self, context: Context) -> Row:
        """Load the files that are new."""
        kind = get_record_kind(self.records)
        source = open_store(parse_text(self.path, "path"), self.storage_conn_id or None)
        self._check_rejected_path(source)
        files = list(self._find(source))
        result, outputs = self.load(kind, source, files)
        self._emit(context, kind, source, result, outputs)
        self.log.info(
            "%d of %d files were new: %d records, %d rejected, %d of the other kind%s",
            *(result["files"], len(files), result["rows"], result["rejected"], result["other_kind"]),
            f"; see {self._rejected_path}" if result["rejected"] else "",
        )
        return result

    def load(self, kind: RecordKind, source: Store, files: list[SourceFile]) -> tuple[Row, list[Output]]:
        """Load files; return what the task returns, and what was written."""
        raise NotImplementedError(f"{type(self).__name__} has no load()")

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return inputs and outputs for OpenLineage: called by its provider, if that is installed."""
        del task_instance
        kind = get_record_kind(self.records)
        source = asset_uri(kind.table, self.organisation)
        return openlineage(source, kind.columns, self._outputs, self._source)

    @property
    def _rejected_path(self) -> str:
        return self.rejected_path or f"{self.path.rstrip('/')}/_rejected"

    def _check_rejected_path(self, source: Store) -> None:
        """Refuse to set records aside where they would be loaded as the next files."""
        root = source.path("")
        aside = open_store(self._rejected_path, self.storage_conn_id or None).path("")
        if aside.startswith(root) and not _is_hidden(aside.removeprefix(root).strip("/")):
            raise ValueError(
                f"rejected_path: {self._rejected_path} lies among the files that are loaded; begin its name "
                "with an underscore, or put it elsewhere"
            )

    def _find(self, source: Store) -> Iterator[SourceFile]:
        root = source.path("")
        for path, info in sorted(source.find().items()):
            name = path.removeprefix(root)
            if not _is_hidden(name) and fnmatch.fnmatch(name, self.pattern):
                mark = info.get("ETag") or info.get("etag") or info.get("mtime") or info.get("LastModified")
                yield SourceFile(path, name, f"{info.get('size')} {mark}")

    def _records(
        self, source: Store, file: SourceFile, kind: RecordKind, count: Count, aside: Path
    ) -> Iterator[Row]:
        """Yield the good records of a file; write the others to a local file, and count both."""
        with source.open(file.path) as opened, contextlib.ExitStack() as stack:
            sink: Any = None
            for record in read_records(opened, kind):
                if isinstance(record, OtherKind):
                    count.other_kind += 1
                    continue
                if not isinstance(record, Rejected):
                    count.rows += 1
                    yield record
                    continue
                if sink is None:
                    sink = stack.enter_context(aside.open("w", encoding="utf-8", errors="replace"))
                count.rejected += 1
                said = {"source": file.path, "line": record.line, "reason": record.reason, "row": record.row}
                sink.write(json.dumps(said, ensure_ascii=False, default=str) + "\n")

    def _set_aside(self, file: SourceFile, aside: Path) -> None:
        """Put what was rejected of a file into its place, before the file counts as loaded."""
        if aside.exists():
            store = open_store(self._rejected_path, self.storage_conn_id or None)
            store.put(aside, f"{file.name}.jsonl")

    def _emit(
        self, context: Any, kind: RecordKind, source: Store, result: Row, outputs: list[Output]
    ) -> None:
        self._outputs = outputs
        self._source = output_of_path(source.uri, 0, None)
        written = [output.uri for output in outputs]
        asset = emnify_asset(kind.table, self.organisation)
        if asset in self.outlets:
            extra = {name: result[name] for name in ("files", "rows", "rejected")}
            context["outlet_events"][asset].extra = {**extra, "written": written}
        report(self, [self._source.uri], written)


def _is_hidden(name: str) -> bool:
    """Tell whether a file or directory below the source is none that the Data Streamer has written."""
    return any(part.startswith(("_", ".")) for part in name.split("/"))
