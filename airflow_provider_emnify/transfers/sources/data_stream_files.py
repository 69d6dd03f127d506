"""FromDataStreamFiles: the source of the transfers that read what emnify's Data Streamer has delivered."""

from __future__ import annotations

import contextlib
import fnmatch
import json
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api.data_streamer.files import OtherKind, Rejected, get_record_kind, read_records
from airflow_provider_emnify.api.streams.columns import Batch, batch_of
from airflow_provider_emnify.arguments import Argument, optional, parse_text
from airflow_provider_emnify.transfers.base import Dataset, EmnifyTransferOperator, Part, Row, SourceFile
from airflow_provider_emnify.transfers.garbage import rare_collections
from airflow_provider_emnify.transfers.lineage import output_of_path
from airflow_provider_emnify.transfers.progress import Progress

if TYPE_CHECKING:
    from airflow_provider_emnify.transfers.sinks.object_store import Store

_AT_ONCE = 1000  # records


class FromDataStreamFiles(EmnifyTransferOperator):
    """Source of the transfers of Data Streamer files.

    :param path: Directory with the files, as a URL or a path on the local disk; whatever lies below it is
        loaded, except names that begin with ``_`` or ``.`` (templated).
    :param records: ``"usage"`` (default) or ``"events"``: what the files hold (templated).
    :param pattern: Only files whose path below the directory looks like this, ``*.csv.gz`` (templated); by
        default all.
    :param storage_conn_id: Connection to the storage; it can stand in the path too (templated).
    :param rejected_path: Directory for what is not a good record: for each file that has some a file of JSON
        lines with ``source``, ``line``, ``reason`` and ``row``. By default ``_rejected`` below ``path``
        (templated).
    :param organisation: As for all transfers, see :class:`~.base.EmnifyTransferOperator`; also
        ``load_columns``.
    """

    dataset_field = "records"
    idempotent: ClassVar[bool] = True

    path = Argument(parse_text)
    records = Argument(lambda value, _: get_record_kind(value).name, default="usage")
    pattern = Argument(parse_text, default="*")
    storage_conn_id = Argument(optional(parse_text), default=None)
    rejected_path = Argument(optional(parse_text), default=None)

    @property
    def dataset(self) -> Dataset:
        """The records, as the stream of the same name has them."""
        kind = get_record_kind(self.records)
        return Dataset(kind.table, kind.columns, kind.key)

    def execute(self, context: Context) -> Row:
        """Load the files that are new."""
        from airflow_provider_emnify.transfers.sinks.object_store import local_directory, open_store
        from airflow_provider_emnify.transfers.sources.repeated import first_times

        sink = self.open_sink(context)
        source = open_store(self.path, self.storage_conn_id)
        rejected_path = self.rejected_path or f"{self.path.rstrip('/')}/_rejected"
        rejected = open_store(rejected_path, self.storage_conn_id)
        _check_rejected_path(rejected_path, source, rejected)
        files = list(self._find(source))
        new = sink.new_files(files, source.path(""))
        total = Counter(files=len(new), rows=0, rejected=0, other_kind=0, repeated=0)
        progress = Progress(self.log, self.dataset.name, "file")
        progress.all_parts = len(new)
        with rare_collections(), first_times(needed=not sink.merges) as is_new:
            for start in range(0, len(new), sink.at_once):
                batch = new[start : start + sink.at_once]
                with local_directory() as directory:
                    part = FilesPart(self.records, source, rejected, batch, directory, is_new, progress)
                    loaded = sink.load(part)
                total.update({name: loaded[name] for name in ("changed", "repeated") if name in loaded})
                for count in part.counts:
                    total.update(count)
        output = sink.output(total["rows"])
        progress.finish(output.uri)
        said = {name: total[name] for name in ("files", "rows", "rejected")}
        self.emit(context, said, output, [output_of_path(source.uri)])
        self.log.info(
            "%d of %d files were new: %d records, %d rejected, %d of the other kind%s",
            *(total["files"], len(files), total["rows"], total["rejected"], total["other_kind"]),
            f"; see {rejected_path}" if total["rejected"] else "",
        )
        return {**total, **sink.about}

    def _find(self, source: Store) -> Iterator[SourceFile]:
        root = source.path("")
        for path, info in sorted(source.find().items()):
            name = path.removeprefix(root)
            if not _is_hidden(name) and fnmatch.fnmatch(name, self.pattern):
                mark = info.get("ETag") or info.get("etag") or info.get("mtime") or info.get("LastModified")
                yield SourceFile(path, name, f"{info.get('size')} {mark}")


@dataclass
class FilesPart(Part):
    """Some files of the Data Streamer: their good records, and the others set aside.

    :param records: What the files hold.
    :param source: Where they are.
    :param rejected: Where what is not a good record goes.
    :param batch: The files.
    :param directory: Room on the local disk.
    :param is_new: Tells whether a record comes for the first time in this run.
    :param progress: Told what was read.
    """

    records: str
    source: Store
    rejected: Store
    batch: list[SourceFile]
    directory: Path
    is_new: Callable[[Row], bool]
    progress: Progress

    def __post_init__(self) -> None:
        self.name, self.end = self.batch[0].name_in_files, datetime.now(UTC)
        self.counts = [Counter[str]() for _ in self.batch]

    def batches(self) -> Generator[Batch, None, None]:
        """Yield the good records; write the others to the local disk, and count all of them."""
        with contextlib.closing(self._records()) as records:
            while some := list(islice(records, _AT_ONCE)):
                yield batch_of(some)
                self.progress.add(len(some))

    def _records(self) -> Generator[Row, None, None]:
        for number, (file, count) in enumerate(self.files()):
            with self.source.open(file.path) as opened, contextlib.ExitStack() as stack:
                aside: Any = None
                for record in read_records(opened, get_record_kind(self.records)):
                    if isinstance(record, OtherKind):
                        count["other_kind"] += 1
                    elif isinstance(record, Rejected):
                        if not count["rejected"]:
                            aside = self.directory / f"rejected-{number}"
                            aside = stack.enter_context(aside.open("w", encoding="utf-8", errors="replace"))
                        count["rejected"] += 1
                        said = {"source": file.path, **vars(record)}
                        aside.write(f"{json.dumps(said, ensure_ascii=False, default=str)}\n")
                    elif self.is_new(record):
                        count["rows"] += 1
                        yield record
                    else:
                        count["repeated"] += 1
            self.progress.add(parts=1)

    def commit(self) -> None:
        """Put what was rejected into its place, before the files count as loaded."""
        for number, (file, count) in enumerate(self.files()):
            if count["rejected"]:
                self.rejected.put(self.directory / f"rejected-{number}", f"{file.name}.jsonl")

    def about(self) -> Row:
        """Return where the records come from."""
        (file,), (count,) = self.batch, self.counts
        return {
            "records": self.records,
            "source": file.path,
            "fingerprint": file.fingerprint,
            "rejected": count["rejected"],
        }

    def files(self) -> list[tuple[SourceFile, Counter[str]]]:
        """Return the files and what came out of each."""
        return list(zip(self.batch, self.counts, strict=True))


def _check_rejected_path(path: str, source: Store, rejected: Store) -> None:
    """Refuse to set records aside where they would be loaded as the next files."""
    root, aside = source.path(""), rejected.path("")
    if aside.startswith(root) and not _is_hidden(aside.removeprefix(root).strip("/")):
        raise ValueError(
            f"rejected_path: {path} lies among the files that are loaded; begin its name with an underscore, "
            "or put it elsewhere"
        )


def _is_hidden(name: str) -> bool:
    """Tell whether a file or directory below the source is none that the Data Streamer has written."""
    return any(part.startswith(("_", ".")) for part in name.split("/"))
