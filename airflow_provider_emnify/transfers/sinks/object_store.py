"""Files in an object storage that appear whole or not at all, and the manifest that lists them.

Everything is written to the local disk first. Only when all rows are there, the files are put in their place,
each in one piece; what an earlier run of the same interval has left is removed; the manifest comes last. A
list of what is about to be written goes ahead, so that a run that is cut off is cleaned up by the next one.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.streams.columns import Batch, Column
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.transfers.sinks.partitions import Partitions

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import ObjectStoragePath
    from airflow_provider_emnify.transfers.sinks.file_formats import Format, Writer

MOST_OPEN = 100
"""Files that are open at the same time; with more partitions, some get several files."""

# Where an upload is seen when it is complete, and never before.
_ATOMIC = frozenset(
    {"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "az", "adl", "wasb", "wasbs", "memory"}
)


@dataclass
class Staged:
    """A file that is ready on the local disk.

    :param name: Its path below the base.
    :param path: Where it is now.
    """

    name: str
    path: Path
    rows: int = 0

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self.path.stat().st_size


class Staging:
    """Rows into local files, by partition and by number.

    :param directory: Where the files go for now.
    :param stem: How the names of all of them begin.
    :param columns: The columns of the rows.
    :param partition_by: What :class:`~.partitions.Partitions` takes.
    :param max_rows: Rows that one file may hold; None: all.
    """

    def __init__(
        self,
        directory: Path,
        stem: str,
        columns: Sequence[Column],
        form: Format,
        compression: str | None,
        *,
        partition_by: str | Sequence[str] | None = None,
        max_rows: int | None = None,
    ) -> None:
        self._directory, self._stem = directory, stem
        self._partitions = Partitions(partition_by, columns)
        self.columns = self._partitions.columns  # those in the files
        self.partition_by = [part.name for part in self._partitions.parts]
        self._form, self._compression = form, compression
        self._max_rows = max_rows
        self._open: dict[str, tuple[Writer, Staged]] = {}
        self._numbers = Counter[str]()
        self.files: list[Staged] = []

    def write(self, batches: Iterable[Batch]) -> None:
        """Write all rows."""
        try:
            for batch in batches:
                for partition, rows in self._partitions.split(batch):
                    self._add(partition, rows)
        finally:
            for partition in [*self._open]:
                self._close(partition)

    def _add(self, partition: str, batch: Batch) -> None:
        while batch[0]:
            if partition not in self._open:
                self._begin(partition)
            writer, staged = self._open[partition]
            room = len(batch[0]) if self._max_rows is None else self._max_rows - staged.rows
            some, batch = [values[:room] for values in batch], [values[room:] for values in batch]
            writer.write(some)
            staged.rows += len(some[0])
            if staged.rows == self._max_rows:
                self._close(partition)

    def _begin(self, partition: str) -> None:
        if len(self._open) >= MOST_OPEN:
            self._close(next(iter(self._open)))
        self._numbers[partition] += 1
        name = f"{self._stem}-{self._numbers[partition]:05d}.{self._form.endings[self._compression]}"
        staged = Staged(f"{partition}/{name}" if partition else name, self._directory / uuid.uuid4().hex)
        self._open[partition] = self._form.writer(staged.path, self.columns, self._compression), staged
        self.files.append(staged)

    def _close(self, partition: str) -> None:
        self._open.pop(partition)[0].close()


@contextlib.contextmanager
def local_directory() -> Iterator[Path]:
    """Make a directory on the local disk for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="emnify-transfer-", ignore_cleanup_errors=True) as path:
        yield Path(path)


def open_store(path: str, conn_id: str | None) -> Store:
    """Return the directory at a path.

    :param path: A URL (``s3://bucket/emnify``, ``file:///data``) or a path on the local disk.
    :param conn_id: Connection to the storage; it can stand in the URL too, ``s3://conn@bucket/emnify``.
    :raises ValueError: when there is no file system for it.
    """
    from airflow_provider_emnify.airflow_names import ObjectStoragePath

    url = path if "://" in path else f"file://{Path(path).absolute()}"
    return Store(ObjectStoragePath(url, conn_id=conn_id) if conn_id else ObjectStoragePath(url))


class Store:
    """A directory of an object storage.

    :param base: The directory.
    """

    def __init__(self, base: ObjectStoragePath) -> None:
        self.base = base
        self._fs: Any = base.fs
        self._root = str(base.path).rstrip("/")
        self._local = base.protocol in {"", "file", "local"}

    @property
    def uri(self) -> str:
        """Its URI, without the connection that can stand in the path."""
        # The one is where Airflow 3 keeps it, the other where Airflow 2 does.
        conn_id = getattr(self.base, "conn_id", None) or self.base.storage_options.get("conn_id")
        return str(self.base).replace(f"://{conn_id}@", "://", 1)

    def path(self, name: str) -> str:
        """Return the path of a file below the directory, as its file system wants it."""
        return f"{self._root}/{name}"

    def find(self) -> dict[str, Row]:
        """Return all files below the directory, with what the storage knows of each."""
        self._fs.invalidate_cache()
        found: dict[str, Row] = self._fs.find(self._root, detail=True)
        return found

    def open(self, path: str) -> Any:
        """Open a file that :meth:`find` has found, to read its bytes."""
        return Path(path).open("rb") if self._local else self._fs.open(path, "rb")

    def put(self, source: Path, name: str) -> None:
        """Put a local file in its place, in one piece."""
        target = self.path(name)
        if self.base.protocol in _ATOMIC:
            self._fs.put_file(str(source), target)
            return
        above, _, last = target.rpartition("/")
        self._fs.makedirs(above, exist_ok=True)
        beside = f"{above}/.{last}.{uuid.uuid4().hex}"
        try:
            self._fs.put_file(str(source), beside)
            if self._local:
                os.replace(beside, target)  # at once, also where there is one already
            else:
                self._fs.mv(beside, target)
        except BaseException:
            with contextlib.suppress(Exception):  # the failure itself is what counts
                self._fs.rm_file(beside)
            raise

    def put_json(self, value: Any, name: str) -> None:
        """Put JSON in its place."""
        with local_directory() as directory:
            path = directory / "json"
            text = json.dumps(value, indent=2, ensure_ascii=False)
            path.write_text(f"{text}\n", encoding="utf-8", errors="replace")
            self.put(path, name)

    def read_json(self, name: str) -> Any:
        """Return the JSON of a file, None when there is none."""
        self._fs.invalidate_cache()
        try:
            return json.loads(self._fs.cat_file(self.path(name)))
        except (FileNotFoundError, ValueError):
            return None

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self.path(name))


def publish(store: Store, stem: str, files: Sequence[Staged], manifest: Row) -> str:
    """Put files in their place, remove what the same run has left before, and write the manifest.

    :param store: Where to.
    :param stem: How the names of the run's files begin.
    :param files: The files.
    :param manifest: What else the manifest says; gets ``files``, ``rows`` and ``bytes``.
    :returns: The name of the manifest.
    """
    name, pending = f"_manifest-{stem}.json", f"_pending-{stem}.json"
    new = [staged.name for staged in files]
    before = {
        str(file["path"])
        for known in (store.read_json(name), store.read_json(pending))
        if isinstance(known, dict)
        for file in known.get("files") or ()
    }
    store.put_json({"files": [{"path": path} for path in sorted({*new, *before})]}, pending)
    for staged in files:
        store.put(staged.path, staged.name)
    for path in sorted(before.difference(new)):
        store.remove(path)
    manifest["files"] = [{"path": staged.name, "rows": staged.rows, "bytes": staged.size} for staged in files]
    manifest["rows"] = sum(staged.rows for staged in files)
    manifest["bytes"] = sum(staged.size for staged in files)
    store.put_json(manifest, name)
    store.remove(pending)
    return name
