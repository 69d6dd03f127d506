"""The sandbox of emnify as a process of its own, for the demo and the web UI."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from processes import Processes

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy


class LocalSandbox:
    """A sandbox that runs until its processes are stopped.

    :param processes: among these it is started
    :param folder: where it may leave a file while it runs
    :param flags: further options of ``emnify-sandbox``
    """

    def __init__(self, processes: Processes, folder: Path, *flags: str, seconds: float = 30) -> None:
        ready_file = folder / "sandbox.json"
        program = (sys.executable, "-m", "airflow_provider_emnify.sandbox")
        processes.start("sandbox", *program, "--port", "0", "--ready-file", ready_file, *flags)
        deadline = time.monotonic() + seconds
        while not ready_file.exists():
            processes.check()
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"The sandbox did not start within {seconds:.0f} s:\n{processes.tail('sandbox')}"
                )
            time.sleep(0.05)
        self._about: dict[str, Any] = json.loads(ready_file.read_text())

    @property
    def url(self) -> str:
        """Its base URL."""
        url: str = self._about["url"]
        return url

    @property
    def connection(self) -> str:
        """An Airflow connection to it, as JSON."""
        connection: str = self._about["connection"]
        return connection

    @property
    def application_token(self) -> str:
        """The token that it takes."""
        token: str = json.loads(self.connection)["password"]
        return token

    def control(self, path: str, body: object) -> Any:
        """Order something of it, such as ``control("clock", {"advance": 60})``."""
        request = urllib.request.Request(  # noqa: S310 - always our own http://127.0.0.1
            f"{self.url}/_sandbox/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with _direct.open(request, timeout=10) as response:
            return json.load(response)

    def overview(self) -> dict[str, Any]:
        """Tell what its page shows: the fleet by status, its limits, the last requests."""
        with _direct.open(f"{self.url}/_sandbox/overview", timeout=10) as response:
            overview: dict[str, Any] = json.load(response)
            return overview

    def counts(self) -> dict[str, Any]:
        """Tell how many ``requests`` and ``authentications`` it has answered, and ``counts`` by operation."""
        with _direct.open(f"{self.url}/_sandbox/counts", timeout=10) as response:
            counts: dict[str, Any] = json.load(response)
            return counts
