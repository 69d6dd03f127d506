"""A MariaDB of its own for tests. Airflow reaches it as a MySQL."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tests.transfers.database_server import DatabaseServer

if TYPE_CHECKING:
    from collections.abc import Sequence


class MariaDB(DatabaseServer):
    """A MariaDB that is there as long as the ``with`` block."""

    name, account, login, schema, conn_type = "MariaDB", "mysql", "root", "mysql", "mysql"
    # The driver that is installed without a compiler.
    extra: ClassVar = {"client": "mysql-connector-python"}

    @classmethod
    def find(cls) -> Path | None:
        """Return the directory of its server, None when there is none."""
        found = shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin")
        return Path(found).parent if found and shutil.which("mariadb-install-db") else None

    @classmethod
    def how_to_install(cls) -> str:
        """Return the command that installs it on Debian and Ubuntu."""
        return "apt-get install mariadb-server"

    def making(self) -> Sequence[str | Path]:
        """Return the command that makes its files."""
        make = ["mariadb-install-db", "--no-defaults", f"--datadir={self.home / 'data'}", "--skip-test-db"]
        return [*make, "--auth-root-authentication-method=normal", "--innodb-flush-method=nosync"]

    def serving(self) -> Sequence[str | Path]:
        """Return the command that serves them."""
        options = {
            "datadir": self.home / "data",
            "port": self.port,
            "bind-address": "127.0.0.1",
            "socket": self.home / "socket",
            "pid-file": self.home / "pid",
            "innodb-flush-method": "nosync",
            "innodb-buffer-pool-size": "32M",
            "default-time-zone": "-05:00",  # a session's zone must not matter
        }
        settings = [f"--{name}={value}" for name, value in options.items()]
        return [f"{self.binaries}/mariadbd", "--no-defaults", "--skip-name-resolve", *settings]

    def asking(self) -> Sequence[str | Path]:
        """Return the command that succeeds once it answers."""
        return ["mariadb-admin", "--no-defaults", f"--socket={self.home / 'socket'}", "--user=root", "ping"]
