"""A PostgreSQL of its own for tests and benchmarks: in a temporary directory, on a free port of loopback."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from tests.api.support import free_port

_USER = "emnify"
_INSTALL = "PostgreSQL's server is not installed (initdb, postgres): apt-get install postgresql"


def find_binaries() -> Path | None:
    """Return the directory of PostgreSQL's server programs, None when there is none."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next(
        (path for path in candidates if (path / "postgres").exists() and (path / "initdb").exists()), None
    )


class Postgres:
    """A server that is there as long as the ``with`` block.

    :raises FileNotFoundError: when PostgreSQL is not installed.
    """

    def __init__(self) -> None:
        binaries = find_binaries()
        if binaries is None:
            raise FileNotFoundError(_INSTALL)
        self._binaries = binaries
        self._home = Path(tempfile.mkdtemp(prefix="emnify-postgres-", dir="/tmp"))  # its user may enter
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None
        # It refuses to run as root: there its own user does.
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self._home, account.pw_uid, account.pw_gid)
            self._as = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def __enter__(self) -> Self:
        data = self._home / "data"
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "cwd": self._home, **self._as}
        initdb = [self._binaries / "initdb", "-D", data, "-U", _USER, "--auth=trust", "--encoding=UTF8"]
        subprocess.run([*initdb, "--no-sync", "--locale=C"], check=True, stderr=subprocess.PIPE, **quiet)
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        options |= {"fsync": "off", "timezone": "America/New_York"}  # a session's zone must not matter
        command = [self._binaries / "postgres", "-D", data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (self._home / "log").open("wb") as log:
            self._server = subprocess.Popen(command, stderr=log, **quiet)
        ready = [self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.perf_counter() + 30
        while subprocess.run(ready, check=False).returncode != 0:
            if self._server.poll() is not None or time.perf_counter() > deadline:
                log_text = (self._home / "log").read_text()
                self.__exit__()
                raise RuntimeError(f"PostgreSQL does not start:\n{log_text}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(10)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def airflow_connection(self) -> str:
        """The connection to it, as Airflow takes it in the environment."""
        return json.dumps(
            {
                "conn_type": "postgres",
                "host": "127.0.0.1",
                "port": self.port,
                "login": _USER,
                "schema": "postgres",
            }
        )
