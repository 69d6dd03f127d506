"""A database server of its own for tests and benchmarks: in a temporary directory, on a port of loopback."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pytest

from tests.api.support import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence


class DatabaseServer:
    """A server that is there as long as the ``with`` block.

    :raises FileNotFoundError: when it is not installed.
    """

    name: ClassVar[str]
    account: ClassVar[str]  # it does not run as root: there, this user's account is its
    login: ClassVar[str]
    schema: ClassVar[str]
    conn_type: ClassVar[str]
    extra: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        self.binaries = self.find()
        if self.binaries is None:
            raise FileNotFoundError(f"{self.name} is not installed: {self.how_to_install()}")
        self.home = Path(tempfile.mkdtemp(prefix="emnify-database-", dir="/tmp"))  # its user may enter
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam(self.account)
            os.chown(self.home, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    @classmethod
    def skip_unless_installed(cls) -> None:
        """Skip the test where there is no such server, or Airflow's provider for it is missing."""
        reason = f"apache-airflow-providers-{cls.conn_type}"
        pytest.importorskip(f"airflow.providers.{cls.conn_type}", reason=reason)
        if cls.find() is None:
            pytest.skip(f"{cls.name} is not installed: {cls.how_to_install()}")

    @classmethod
    def find(cls) -> Path | None:
        """Return the directory of its programs, None when there is none."""
        raise NotImplementedError

    @classmethod
    def how_to_install(cls) -> str:
        """Return the command that installs it on Debian and Ubuntu."""
        return f"apt-get install {cls.name.lower()}"

    def making(self) -> Sequence[str | Path]:
        """Return the command that makes its files."""
        raise NotImplementedError

    def serving(self) -> Sequence[str | Path]:
        """Return the command that serves them."""
        raise NotImplementedError

    def asking(self) -> Sequence[str | Path]:
        """Return the command that succeeds once it answers."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        with (self.home / "log").open("wb") as log:
            process: dict[str, Any] = {"stdout": log, "stderr": log, "cwd": self.home, **self._as}
            process["env"] = {**os.environ, "TMPDIR": str(self.home)}
            made = subprocess.run(self.making(), check=False, **process).returncode == 0
            if made:
                self._server = subprocess.Popen(self.serving(), **process)
        deadline = time.perf_counter() + 30
        while not made or subprocess.run(self.asking(), check=False, capture_output=True).returncode:
            if self._server is None or self._server.poll() is not None or time.perf_counter() > deadline:
                said = (self.home / "log").read_text()
                self.__exit__()
                raise RuntimeError(f"{self.name} does not start:\n{said}")
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
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def airflow_connection(self) -> str:
        """The connection to it, as Airflow takes it in the environment."""
        where = {"host": "127.0.0.1", "port": self.port, "login": self.login, "schema": self.schema}
        return json.dumps({"conn_type": self.conn_type, **where, "extra": self.extra})
