"""A Redis that loads its data, or answers nothing that helps: one warning, then memory, and no waiting."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emnify.api.limits import fallback as limit_fallback
from airflow_provider_emnify.api.limits.limits import Limits
from tests.api.limits.test_limits import HOST, LIST

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("redis", reason="needs the extra redis")

ANSWERS = {
    "loading": b"-LOADING Redis is loading the dataset in memory\r\n",
    "busy with a script": b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL\r\n",
    "no leader of a cluster": b"-CLUSTERDOWN The cluster is down\r\n",
    "a password is needed": b"-NOAUTH Authentication required.\r\n",
    "no Redis": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "hangs up": b"",
}


@contextlib.contextmanager
def redis_that_says(answer: bytes) -> Iterator[str]:
    """Answer each command like this; the URL of it."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(20)

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while (commands := connection.recv(65536)) and answer:
                connection.sendall(answer * commands.count(b"*"))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"
    finally:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_it_costs_one_warning_and_no_waiting(
    answer: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_fallback, "FALLBACKS", {})

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        really_sleep(seconds)

    waits: list[float] = []
    really_sleep = time.sleep
    monkeypatch.setattr("time.sleep", sleep)
    with redis_that_says(answer) as url, caplog.at_level(logging.WARNING):
        for _ in range(3):
            limits = Limits(url, sleep=sleep)
            with limits.locks.hold("SMS", 7, scope=f"{HOST} acme"):
                limits.acquire("GET", LIST, host=HOST, organisation="acme")
            limits.close()
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "counts alone" in warning
    assert sum(waits) < 3
