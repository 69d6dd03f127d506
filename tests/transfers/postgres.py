"""A PostgreSQL of its own for tests and benchmarks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.transfers.database_server import DatabaseServer

if TYPE_CHECKING:
    from collections.abc import Sequence


class Postgres(DatabaseServer):
    """A PostgreSQL that is there as long as the ``with`` block."""

    name, account, login, schema, conn_type = "PostgreSQL", "postgres", "emnify", "postgres", "postgres"

    @classmethod
    def find(cls) -> Path | None:
        """Return the directory of its programs, None when there is none."""
        found = shutil.which("initdb")
        candidates = [Path(found).resolve().parent] if found else []
        candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        return next(
            (path for path in candidates if (path / "postgres").exists() and (path / "initdb").exists()), None
        )

    def making(self) -> Sequence[str | Path]:
        """Return the command that makes its files."""
        initdb = [self.binaries / "initdb", "-D", self.home / "data", "-U", self.login, "--auth=trust"]
        return [*initdb, "--encoding=UTF8", "--locale=C", "--no-sync"]

    def serving(self) -> Sequence[str | Path]:
        """Return the command that serves them."""
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "timezone": "America/New_York",  # a session's zone must not matter
        }
        settings = [f"--{name}={value}" for name, value in options.items()]
        return [self.binaries / "postgres", "-D", self.home / "data", *settings]

    def asking(self) -> Sequence[str | Path]:
        """Return the command that succeeds once it answers."""
        return [self.binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
