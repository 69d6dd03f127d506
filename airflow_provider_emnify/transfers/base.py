"""EmnifyTransferOperator: what every transfer is, whatever it reads and wherever it writes.

A transfer is a source and a sink: :class:`~.sources.stream.FromStream` or
:class:`~.sources.data_stream_files.FromDataStreamFiles` hands out parts, :class:`~.sinks.sql.ToSql` or
:class:`~.sinks.files.ToFiles` loads each of them as a whole or not at all.
"""

from __future__ import annotations

import functools
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Protocol

from airflow_provider_emnify.airflow_names import Asset, Context
from airflow_provider_emnify.api.streams.columns import Batch, Column
from airflow_provider_emnify.api.values import parse_bool
from airflow_provider_emnify.arguments import Argument, is_known, optional, parse_id_or_name
from airflow_provider_emnify.assets import emnify_asset
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.transfers.lineage import Output, openlineage, output_of_path, report
from airflow_provider_emnify.transfers.load_columns import LOAD_COLUMNS, load_values

Row = dict[str, Any]


@dataclass(frozen=True)
class Dataset:
    """What a transfer brings.

    :param name: Its name in assets, and after ``emnify_`` in tables.
    :param columns: The columns of its rows.
    :param key: The columns that tell rows apart.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]


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

    @cached_property
    def digest(self) -> str:
        """What stands for its path where that may be too long."""
        return hashlib.sha256(self.path.encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def name_in_files(self) -> str:
        """What stands for it in the names of the files that are made of it."""
        return self.digest[:16]


class Part(ABC):
    """What a sink loads as a whole or not at all: a run of a stream, or some files."""

    name: str
    """Its name in the files that are made of it."""
    end: datetime
    """The moment that it is for."""

    @abstractmethod
    def batches(self) -> Generator[Batch, None, None]:
        """Read its rows; whatever is under way ends when the generator is closed."""

    def commit(self) -> None:  # noqa: B027 - most have nothing to do
        """Do what has to be done after the rows were read, and before they count as loaded."""

    @abstractmethod
    def about(self) -> Row:
        """Return what its manifest says of it, once it was read."""

    def files(self) -> Sequence[tuple[SourceFile, Any]]:
        """Return the files that it was read from, and how many ``rows`` and ``rejected`` came out of each."""
        return []


class Sink(Protocol):
    """Where rows go, opened for one run."""

    at_once: int
    """Files of the Data Streamer that one part may hold."""
    merges: bool
    """A row that comes twice is changed, and not added again."""
    about: Row
    """What the task's result says of it."""

    def new_files(self, files: Sequence[SourceFile], root: str) -> list[SourceFile]:
        """Return the files that were not loaded yet, or have changed since; all lie below ``root``."""

    def load(self, part: Part) -> Row:
        """Load a part; return ``rows``, and what else the sink says of it."""

    def output(self, rows: int) -> Output:
        """Return what was written to, for lineage."""


def started_by(context: Any) -> set[str]:
    """Return the URIs of the assets whose events have started the run. Airflow reads these when asked."""
    run_type = getattr(context.get("dag_run"), "run_type", None)
    if getattr(run_type, "value", run_type) not in _STARTED_BY_ASSETS:
        return set()
    events = context.get("triggering_asset_events") or context.get("triggering_dataset_events") or ()
    return {getattr(one, "uri", one) for one in events}


_STARTED_BY_ASSETS = ("asset_triggered", "dataset_triggered")  # the latter on Airflow 2

_asset = functools.cache(emnify_asset)  # 40 µs each; Airflow does not change them


class EmnifyTransferOperator(EmnifyBaseOperator):
    """Base of the sources and the sinks of transfers, and so of every transfer.

    A mapped task is called by what it transfers, unless it is given a ``map_index_template``.

    :param organisation: What stands for the organisation in the asset's URI; by default the connection's id.
    :param load_columns: Add the columns ``_loaded_at`` (UTC) and ``_run_id`` (Airflow's): when a row was
        written, and by which run (default False).
    :param emnify_conn_id: The connection to emnify.
    """

    ui_color = "#cfe8fc"

    #: The argument that names what is transferred.
    dataset_field: ClassVar[str]

    organisation = Argument(optional(parse_id_or_name), default=None, templated=False)
    load_columns = Argument(parse_bool, default=False, templated=False)

    _read: Sequence[Output] = ()
    _outputs: Sequence[Output] = ()

    def check_arguments(self) -> None:
        """Add the asset that is emitted, as soon as it is known."""
        super().check_arguments()
        if is_known(getattr(self, self.dataset_field)) and is_known(self.emnify_conn_id):
            self.outlets = [*self.outlets, self._asset]

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Begin a mapped task, each of whose instances is called by what it transfers."""
        kwargs.setdefault("map_index_template", f"{{{{ task.{cls.dataset_field} }}}}")
        return super().partial(**kwargs)

    @property
    def dataset(self) -> Dataset:
        """What is transferred: a source says it."""
        raise NotImplementedError(f"{type(self).__name__} has no source")

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are written."""
        return (*self.dataset.columns, *(LOAD_COLUMNS if self.load_columns else ()))

    def load_values(self, context: Context) -> dict[Column, Any]:
        """Return the columns that are written beside those of the dataset, and what they hold in this run."""
        return load_values(context) if self.load_columns else {}

    def open_sink(self, context: Context) -> Sink:
        """Open where the rows of this run go: a sink says it."""
        raise NotImplementedError(f"{type(self).__name__} has no sink")

    @property
    def _asset(self) -> Asset:
        conn_id = re.sub(r"[^\w.-]", "-", self.emnify_conn_id, flags=re.ASCII)
        return _asset(self.dataset.name, conn_id if self.organisation is None else self.organisation)

    @property
    def _inputs(self) -> list[Output]:
        return [*self._read] or [output_of_path(self._asset.uri)]

    def emit(self, context: Any, extra: Row, output: Output, read: Iterable[Output] = ()) -> None:
        """Tell Airflow what was read and written: asset event and lineage.

        :param extra: What the event of the asset says.
        :param output: What was written.
        :param read: What was read, when that was not emnify itself.
        """
        self._read, self._outputs = list(read), [output]
        if self._asset in self.outlets:
            if self._asset.uri in started_by(context):
                self.log.info("%s has started this run, which emits no event of it", self._asset.uri)
                self.outlets = [one for one in self.outlets if one != self._asset]
            else:
                context["outlet_events"][self._asset].extra = {**extra, "written": [output.uri]}
        report(self.hook, [one.uri for one in self._inputs], [output.uri])

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return inputs and outputs for OpenLineage: called by its provider, if that is installed."""
        return openlineage(self.dataset.columns, self._inputs, self._outputs)
