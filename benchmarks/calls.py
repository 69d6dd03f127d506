"""What a call costs: one GET in a client that is warm, and the first call of a task on a host that is fresh.

    python benchmarks/calls.py

A server in a process of its own gives the same answers to all. One GET of an endpoint is measured in
turn with a ``requests.Session``, an ``httpx.Client`` and this provider's client, with the rate limits
counted in memory and in the host's store. The first call is measured in a process that has loaded what a
task of Airflow has, from the hook to the answer. Writes ``benchmarks/results/calls.md``, and fails when
a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from base64 import urlsafe_b64encode
from compileall import compile_dir
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from machine import checks, heading, table  # noqa: E402 - it lies beside this file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESULTS = ROOT / "benchmarks" / "results" / "calls.md"
PATH = "/api/v1/endpoint/7"
ENDPOINT = {
    "id": 7,
    "name": "Pump 7",
    "status": {"id": 0, "description": "Enabled"},
    "service_profile": {"id": 1, "name": "Standard"},
    "tariff_profile": {"id": 1, "name": "Standard"},
    "sim": {"id": 70, "iccid": "8988303000000000070", "status": {"id": 1, "description": "Activated"}},
    "tags": "pump, north",
    "ip_address": "10.0.0.7",
    "created": "2024-01-01T00:00:00.000+0000",
    "last_updated": "2024-01-01T00:00:00.000+0000",
}
BLOCK = 100  # calls of one client before it is the next one's turn
CALLS_OF_300_S = 2000  # as many places as emnify's widest limit holds
MOST_FIRST = 25.0  # milliseconds


def serve() -> None:
    """Answer every request on connections that stay open, and print the port."""
    token = {"exp": time.time() + 14_400, "iat": time.time(), "esc": {"org": 1}}
    jwt = ".".join(
        urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({}, token, "")
    )
    answers = {True: _answer({"auth_token": jwt}), False: _answer(ENDPOINT)}
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve, args=(connection, answers), daemon=True).start()


def _answer(body: Any) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def _serve(connection: socket.socket, answers: dict[bool, bytes]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as stream:
        while first := stream.readline():
            length = 0
            while (line := stream.readline().strip().lower()) != b"":
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            stream.read(length)
            connection.sendall(answers[b"/authenticate" in first])


@contextlib.contextmanager
def server() -> Iterator[str]:
    command = [sys.executable, str(Path(__file__)), "--part", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            yield f"http://127.0.0.1:{int(running.stdout.readline())}"
        finally:
            running.kill()


def measure_calls(url: str, calls: int) -> dict[str, float]:
    """Return the microseconds of CPU that one GET takes, for each client: medians of calls made in turn."""
    import httpx
    import requests

    from airflow_provider_emnify.api import Credentials, EmnifyClient, Limits
    from airflow_provider_emnify.api.limits.documented import LIMITS

    # The same limits, and as many places in them as there may be in 300 s; but none is waited for.
    limits = tuple(replace(limit, calls=limit.calls * calls) for limit in LIMITS)
    session, plain = requests.Session(), httpx.Client()
    clients = {
        store: EmnifyClient(
            Credentials(application_token="t"), base_url=url, limits=Limits(store, limits=limits)
        )
        for store in ("memory", "host")
    }
    gets: dict[str, Callable[[], object]] = {
        "requests": lambda: session.get(url + PATH, headers={"Authorization": "Bearer t"}).json(),
        "httpx": lambda: plain.get(url + PATH, headers={"Authorization": "Bearer t"}).json(),
        **{store: lambda client=client: client.endpoints.get(7) for store, client in clients.items()},
    }
    places = Limits("host", limits=limits)
    gets["a place in the host's store"] = lambda: places.acquire("GET", PATH, host="h", organisation="o")
    taken: dict[str, list[int]] = {name: [] for name in gets}
    for _ in range(calls // BLOCK + 1):
        for name, get in gets.items():
            for _ in range(BLOCK):
                began = time.process_time_ns()
                get()
                taken[name].append(time.process_time_ns() - began)
    for client in clients.values():
        client.close()
    return {name: statistics.median(times[BLOCK:]) / 1000 for name, times in taken.items()}


def measure_first(url: str) -> dict[str, float]:
    """Return the milliseconds of this process's first call: CPU for imports and for the call, and seconds."""
    import airflow.sdk.execution_time.task_runner  # noqa: F401 - as in every task

    from airflow_provider_emnify.hooks.emnify import EmnifyHook

    connection = {"conn_type": "emnify", "host": url, "password": "token"}
    os.environ["AIRFLOW_CONN_EMNIFY_DEFAULT"] = json.dumps(connection)
    EmnifyHook.get_connection("emnify_default")  # Airflow's own part
    began = time.process_time()
    import airflow_provider_emnify.api.client
    import airflow_provider_emnify.api.resources.endpoints  # noqa: F401

    imported, clock = time.process_time(), time.perf_counter()
    with EmnifyHook() as hook:
        hook.get_conn().endpoints.get(7)
        called, held = time.process_time(), time.perf_counter()
    return _milliseconds(imports=imported - began, call=called - imported, clock=held - clock)


def measure_first_of_requests(url: str) -> dict[str, float]:
    """Return the same for two requests of a ``requests.Session``, which is what our first call makes."""
    import airflow.sdk.execution_time.task_runner  # noqa: F401 - as in every task

    began = time.process_time()
    import requests

    imported, clock = time.process_time(), time.perf_counter()
    with requests.Session() as session:
        token = session.post(f"{url}/api/v1/authenticate", json={"application_token": "t"}).json()[
            "auth_token"
        ]
        session.get(url + PATH, headers={"Authorization": f"Bearer {token}"}).json()
        called, held = time.process_time(), time.perf_counter()
    return _milliseconds(imports=imported - began, call=called - imported, clock=held - clock)


def _milliseconds(**seconds: float) -> dict[str, float]:
    return {name: value * 1000 for name, value in seconds.items()}


def measured(part: str, url: str, *arguments: str) -> dict[str, float]:
    """Run a part of this file in a process of its own, on a host that is fresh to it."""
    command = [sys.executable, str(Path(__file__)), "--part", part, "--url", url, *arguments]
    with tempfile.TemporaryDirectory() as folder:
        env = {
            **os.environ,
            "TMPDIR": folder,
            "AIRFLOW_HOME": folder,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def report(calls: int, processes: int) -> str:
    compile_dir(ROOT / "airflow_provider_emnify", quiet=1)  # as an installation does
    head = heading("Calls", "calls.py")
    with server() as url:
        one = measured("calls", url, "--calls", str(calls))
        parts = {"`EmnifyHook`": "first", "`requests.Session`": "first-of-requests"}
        firsts: dict[str, list[dict[str, float]]] = {name: [] for name in parts}
        for _ in range(processes + 1):
            for name, part in parts.items():
                firsts[name].append(measured(part, url))
    place, peer = one.pop("a place in the host's store"), one["requests"]
    names = {
        "requests": "`requests.Session.get`",
        "httpx": "`httpx.Client.get`",
        "memory": "`client.endpoints.get`, limits in memory",
        "host": "`client.endpoints.get`, limits in the host's store",
    }
    gets = [[names[name], f"{taken:.0f}", f"{taken / peer:.2f}"] for name, taken in one.items()]
    rows, call = [], 0.0
    for name, times in firsts.items():
        median = {key: statistics.median(one[key] for one in times[1:]) for key in times[0]}
        rows.append([name, *(f"{median[key]:.0f}" for key in ("imports", "call", "clock"))])
        call = call or median["call"]
    targets = [
        ("One GET with the limits in memory, by requests.Session", one["memory"] / peer, 1.0),
        ("One GET with the limits in the host's store, by requests.Session", one["host"] / peer, 1.3),
        ("First call of a task on a fresh host, beyond imports, in ms", call, MOST_FIRST),
    ]
    return f"""{head}
## One GET, in microseconds

Of one endpoint, the median of {calls:,} calls, all with keep-alive, and each answer's JSON parsed. Ours takes
its places in the documented limits first, and checks what comes back.

{table(["", "CPU", "by `requests`"], gets)}

Places in the host's store taken in a loop, nothing else between them: {place:.0f} µs, for a lock on a
file and SQLite.

## The first call of a task, in milliseconds

In a new process that has loaded what Airflow loads for a task, on a host on which nobody has called
before: from the hook to the answer, with an authentication before it. Beside it, the same two requests
with `requests` alone.

{table(["", "CPU of imports", "CPU of the call", "by the clock"], rows)}

Targets:

{checks(targets)}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=CALLS_OF_300_S, help="GETs of each client")
    parser.add_argument("--processes", type=int, default=7, help="how many first calls are measured")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], Any]] = {
        "serve": serve,
        "calls": lambda: measure_calls(arguments.url, arguments.calls),
        "first": lambda: measure_first(arguments.url),
        "first-of-requests": lambda: measure_first_of_requests(arguments.url),
    }
    if arguments.part:
        print(json.dumps(parts[arguments.part]()))
        return 0
    text = report(arguments.calls, arguments.processes)
    RESULTS.write_text(text)
    print(text)
    return 0  # a target that is missed is reported, and does not keep the next benchmark from running


if __name__ == "__main__":
    sys.exit(main())
