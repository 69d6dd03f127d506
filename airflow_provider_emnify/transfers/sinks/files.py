"""ToFiles: the sink of the transfers into files: JSON lines, CSV or Parquet, in any storage of Airflow's."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify import __version__
from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.arguments import Argument, as_given, is_known, optional, parse_count
from airflow_provider_emnify.transfers.base import Dataset, EmnifyTransferOperator, Part, Row, SourceFile
from airflow_provider_emnify.transfers.lineage import Output, output_of_path
from airflow_provider_emnify.transfers.load_columns import with_values
from airflow_provider_emnify.transfers.sinks.file_formats import check_format
from airflow_provider_emnify.transfers.sinks.partitions import Partitions

if TYPE_CHECKING:
    from airflow_provider_emnify.transfers.sinks.object_store import Store


class ToFiles(EmnifyTransferOperator):
    """Sink of the transfers into files; its arguments are those of ``EmnifyToObjectStorageOperator``."""

    #: The arguments that say the directory, and the connection to its storage.
    target_fields: ClassVar[tuple[str, str]]
    name: str | None = None

    format = Argument(as_given, templated=False)
    compression = Argument(as_given, default=None, templated=False)
    partition_by = Argument(as_given, default=None, templated=False)
    max_rows_per_file = Argument(optional(parse_count), default=None, templated=False)

    def check_arguments(self) -> None:
        """Check the format, and the columns that make directories."""
        super().check_arguments()
        check_format(self.format, self.compression)
        if is_known(getattr(self, self.dataset_field)) and is_known(self.partition_by):
            Partitions(self.partition_by, self.columns)

    def open_sink(self, context: Context) -> FilesSink:
        """Return the directory; nothing is written yet."""
        from airflow_provider_emnify.transfers.sinks.object_store import open_store

        path, conn_id = (getattr(self, name) for name in self.target_fields)
        return FilesSink(
            open_store(path, conn_id),
            replace(self.dataset, columns=self.columns),
            self.name or self.dataset.name,
            self.format,
            self.compression,
            [*self.load_values(context).values()],
            {"partition_by": self.partition_by, "max_rows": self.max_rows_per_file},
        )


@dataclass
class FilesSink:
    """A directory of an object storage. The manifest of a part says that it was loaded.

    :param store: The directory.
    :param dataset: What the rows are.
    :param prefix: How the names of all files begin.
    :param format: Their format.
    :param compression: Their compression.
    :param values: What its last columns hold in every row.
    :param layout: More arguments for :class:`~.object_store.Staging`.
    """

    store: Store
    dataset: Dataset
    prefix: str
    format: str
    compression: str | None
    values: Sequence[Any]
    layout: Row

    at_once = 1  # each file of the Data Streamer has a manifest of its own
    merges = False

    def __post_init__(self) -> None:
        self.form, self.compression = check_format(self.format, self.compression)
        self.about = {"path": str(self.store.base)}
        self.bytes = 0

    def new_files(self, files: Sequence[SourceFile], root: str) -> list[SourceFile]:
        """Return the files without a manifest of what they are now."""
        return [file for file in files if self._known(file) != file.fingerprint]

    def _known(self, file: SourceFile) -> Any:
        manifest = self.store.read_json(f"_manifest-{self.prefix}-{file.name_in_files}.json")
        return manifest.get("fingerprint") if isinstance(manifest, dict) else None

    def load(self, part: Part) -> Row:
        """Write all rows to the local disk, put the files in their place, and the manifest last.

        :returns: The manifest, with its own path as ``manifest``.
        """
        from airflow_provider_emnify.transfers.sinks.object_store import Staging, local_directory, publish

        stem, columns = f"{self.prefix}-{part.name}", self.dataset.columns
        with local_directory() as directory:
            staging = Staging(directory, stem, columns, self.form, self.compression, **self.layout)
            with contextlib.closing(part.batches()) as batches:
                staging.write(with_values(batches, self.values))
            part.commit()
            manifest: Row = {
                **part.about(),
                "format": self.format,
                "compression": self.compression,
                "key": list(self.dataset.key),
                "schema": [{"name": one.name, "type": one.type.value} for one in staging.columns],
                "partition_by": staging.partition_by,
                "written_at": datetime.now(UTC).isoformat(),
                "written_by": f"airflow-provider-emnify {__version__}",
            }
            name = publish(self.store, stem, staging.files, manifest)
        self.bytes += manifest["bytes"]
        return {**manifest, "manifest": f"{str(self.store.base).rstrip('/')}/{name}"}

    def output(self, rows: int) -> Output:
        """Return the directory, for lineage."""
        return output_of_path(self.store.uri, rows, self.bytes)
