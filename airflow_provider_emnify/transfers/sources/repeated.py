"""Which records came before in a run: emnify's Data Streamer delivers at least once."""

from __future__ import annotations

import contextlib
import sqlite3
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType


class Repeated:
    """The records of a run, by their ids and what they say; on the local disk, so that memory does not grow.

    Only a record that is the same as an earlier one is repeated: one that says something else under the same
    id is not left out.

    :param needed: False where the sink itself knows rows by their key: nothing is repeated then.
    """

    def __init__(self, *, needed: bool) -> None:
        self._stack = contextlib.ExitStack()
        self._seen: sqlite3.Connection | None = None
        if needed:
            self._seen = self._stack.enter_context(
                contextlib.closing(sqlite3.connect(""))
            )  # a temporary file
            self._seen.execute("PRAGMA synchronous = OFF")
            self._seen.execute("CREATE TABLE seen (id, digest, PRIMARY KEY (id, digest)) WITHOUT ROWID")

    def __enter__(self) -> Repeated:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def is_new(self, record: dict[str, Any]) -> bool:
        """Tell whether a record comes for the first time, and remember it."""
        if self._seen is None:
            return True
        said = repr(tuple(record.values())).encode("utf-8", "surrogatepass")
        key = (record["id"], blake2b(said, digest_size=16).digest())
        return self._seen.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", key).rowcount == 1
