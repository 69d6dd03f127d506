"""How many waits one triggerer holds inside emnify's limits: N waits over a fleet, in one process.

    python benchmarks/waits.py                       # the whole table, some 35 minutes
    python benchmarks/waits.py --sizes 100 --over 30 # a try

A sandbox of 20,000 endpoints, with the documented limits on, runs in a process of its own. Each wait asks for
one endpoint to be enabled; the endpoints are enabled at random over five minutes. Measured is the process
that holds the waits. Beside it stands what there is without this provider: a deferred sensor a device, with a
hook of the HTTP provider and a token exchange of its own. Then ten thousand waits, and as many triggers of
Airflow's that only sleep, are held by Airflow's ``TriggerRunner`` for what the garbage collector looks at;
and more waits on connectivity begin than emnify's limits allow. One case is measured after another, on a
machine that should have nothing else to do. Writes ``benchmarks/results/waits.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from waits_held import held
from waits_late import late
from waits_loop import Loop, rss
from waits_report import INTERVAL, report

RESULTS = Path(__file__).parent / "results" / "waits.md"
SIZES = (100, 1000, 10_000)
ENDPOINTS = 20_000
OVER = 300.0
LATE = 3000
TODAY_SECONDS = {100: 120.0, 1000: 120.0, 10_000: 60.0}


def serve(pipe: Any, endpoints: int) -> None:
    """Be emnify, in a process of its own, until told to stop."""
    import logging

    from airflow_provider_emnify.api.enums import EndpointStatus
    from airflow_provider_emnify.sandbox import Sandbox

    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    with Sandbox(endpoints, limits=True, log_size=1000) as sandbox:
        table = sandbox.state.endpoints
        for endpoint in table.values():
            endpoint.status = EndpointStatus.DISABLED
        pipe.send({"connection": json.loads(sandbox.airflow_connection), "ids": list(table)})
        changed: dict[int, float] = {}

        def change(plan: list[tuple[float, int]], began: float) -> None:
            for after, key in plan:
                time.sleep(max(0.0, began + after - time.time()))
                table[key].status = EndpointStatus.ENABLED
                changed[key] = time.time()

        while (order := pipe.recv()) != "stop":
            if order == "counts":
                counts, statuses = sandbox.counts, sandbox.statuses
                pipe.send(
                    {
                        "requests": sandbox.requests,
                        "authentications": sandbox.authentications,
                        "lists": counts["GET /api/v1/endpoint"],
                        "429": statuses[429],
                        "changed": dict(changed),
                    }
                )
            else:
                threading.Thread(target=change, args=(order, time.time()), daemon=True).start()


class Emnify:
    """The sandbox's process, seen from the one that is measured."""

    def __init__(self, endpoints: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, endpoints))
        self._process.start()
        about = self._pipe.recv()
        self.connection: dict[str, Any] = about["connection"]
        self.ids: list[int] = about["ids"]

    def change(self, ids: list[int], over: float) -> None:
        """Enable these endpoints at random moments."""
        chance = random.Random(4)
        self._pipe.send(sorted((chance.uniform(0, over), key) for key in ids))

    def counts(self) -> dict[str, Any]:
        """Tell what it has answered, and when which endpoint changed."""
        self._pipe.send("counts")
        found: dict[str, Any] = self._pipe.recv()
        return found

    def stop(self) -> None:
        """End it."""
        self._pipe.send("stop")
        self._process.join()


async def hold(emnify: Emnify, size: int, over: float, results: dict[str, Any]) -> None:
    """Hold the waits with this provider's trigger, until all are over."""
    from airflow_provider_emnify.api.waits.wait import Wait
    from airflow_provider_emnify.triggers.shared import poller
    from airflow_provider_emnify.triggers.wait import EmnifyWaitTrigger

    ids = random.Random(size).sample(emnify.ids, size)
    told: dict[int, float] = {}
    rounds: list[int] = []
    real = poller.read  # type: ignore[attr-defined]

    def read(client: Any, *arguments: Any) -> Any:
        before = client.stats.requests
        try:
            return real(client, *arguments)
        finally:
            rounds.append(client.stats.requests - before)

    poller.read = read  # type: ignore[attr-defined]

    async def one(key: int) -> str:
        wait = Wait("endpoint_status", key, "enabled").to_dict()
        trigger = EmnifyWaitTrigger("emnify_default", wait, INTERVAL, time.time() + 3600)
        trigger.trigger_id = key  # as the triggerer does
        del wait  # which keeps nothing else
        async for event in trigger.run():
            told[key] = time.time()
            return str(event.payload["status"])
        return "nothing"

    loop = Loop()
    watch = asyncio.create_task(loop.watch())
    await asyncio.sleep(1)
    empty, began, cpu = rss(), time.time(), time.process_time()
    for noted in (loop.held, loop.held_by_us, loop.collected, loop.collected_cpu):
        noted.clear()
    emnify.change(ids, over)
    tasks = []
    for number, key in enumerate(ids):
        tasks.append(asyncio.create_task(one(key)))
        if number % 10 == 9:
            await asyncio.sleep(0)  # as the triggerer, which makes one trigger after another
    ended = await asyncio.gather(*tasks)
    seconds, cpu = time.time() - began, time.process_time() - cpu
    watch.cancel()
    await asyncio.sleep(0.1)
    counts = emnify.counts()
    delays = sorted(told[key] - max(counts["changed"][key], began) for key in ids)
    loop.held.sort()
    results.update(
        {
            "waits": size,
            "succeeded": ended.count("success"),
            "seconds": seconds,
            "requests a minute": counts["requests"] / seconds * 60,
            "requests a round": max(rounds),
            "429": counts["429"],
            "authentications": counts["authentications"],
            "median delay": statistics.median(delays),
            "99th delay": delays[int(len(delays) * 0.99)],
            "CPU seconds": cpu,
            "MB": max(loop.memory, rss()) - empty,
            "held ms": loop.held[-1] * 1000,
            "held 99.9th ms": loop.held[int(len(loop.held) * 0.999)] * 1000,
            "held by us ms": max(loop.held_by_us) * 1000,
            "collections": len(loop.collected),
            "collection ms": max(loop.collected, default=0.0) * 1000,
            "collection CPU ms": max(loop.collected_cpu, default=0.0) * 1000,
        }
    )


async def today(emnify: Emnify, size: int, seconds: float, results: dict[str, Any]) -> None:
    """Do without this provider for a while: a sensor a device, each with a token of its own."""
    from airflow.providers.http.hooks.http import HttpAsyncHook

    ids = random.Random(size).sample(emnify.ids, size)
    told: dict[int, float] = {}
    failed = 0
    token = {"application_token": emnify.connection["password"]}

    async def one(key: int) -> None:
        nonlocal failed
        hook = HttpAsyncHook(method="POST", http_conn_id="emnify_http")
        status = HttpAsyncHook(method="GET", http_conn_id="emnify_http")
        try:
            async with hook.session() as session:
                answer = await session.run("/api/v1/authenticate", json=token)
                headers = {"Authorization": f"Bearer {(await answer.json())['auth_token']}"}
            while True:
                async with status.session() as session:
                    answer = await session.run(f"/api/v1/endpoint/{key}", headers=headers)
                    if (await answer.json())["status"]["id"] == 0:
                        told[key] = time.time()
                        return
                await asyncio.sleep(INTERVAL)
        except Exception:
            failed += 1

    loop = Loop()
    watch = asyncio.create_task(loop.watch())
    empty, began, cpu = rss(), time.time(), time.process_time()
    emnify.change(ids, OVER)
    tasks = [asyncio.create_task(one(key)) for key in ids]
    await asyncio.wait(tasks, timeout=seconds)
    took, cpu = time.time() - began, time.process_time() - cpu
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    watch.cancel()
    counts = emnify.counts()
    delays = sorted(when - max(counts["changed"].get(key, when), began) for key, when in told.items())
    results.update(
        {
            "waits": size,
            "succeeded": len(told),
            "failed": failed,
            "seconds": took,
            "requests a minute": counts["requests"] / took * 60,
            "429": counts["429"],
            "authentications": counts["authentications"],
            "median delay": statistics.median(delays) if delays else None,
            "99th delay": delays[int(len(delays) * 0.99)] if delays else None,
            "CPU seconds": cpu,
            "MB": max(loop.memory, rss()) - empty,
            "held ms": max(loop.held) * 1000,
        }
    )


def measure(kind: str, size: int, endpoints: int, over: float) -> None:
    """Measure one case, in this process; print the figures."""
    with tempfile.TemporaryDirectory(prefix="emnify-bench-") as home:
        tempfile.tempdir = home  # the store of the limits, too
        os.environ |= {"AIRFLOW_HOME": home, "TMPDIR": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        emnify = Emnify(endpoints)
        results: dict[str, Any] = {}
        try:
            os.environ["AIRFLOW_CONN_EMNIFY_DEFAULT"] = json.dumps(emnify.connection)
            plain = {"conn_type": "http", "host": emnify.connection["host"]}
            os.environ["AIRFLOW_CONN_EMNIFY_HTTP"] = json.dumps(plain)
            import_module("airflow.jobs.triggerer_job_runner")  # the process is as big as a triggerer
            if kind == "waits":
                asyncio.run(hold(emnify, size, over, results))
            elif kind in {"emnify", "airflow"}:
                asyncio.run(held(kind, emnify.ids[:size], results))
            elif kind == "late":
                asyncio.run(late(emnify.ids[:size], results))
                results |= emnify.counts() | {"changed": None}
            else:
                asyncio.run(today(emnify, size, min(over, TODAY_SECONDS.get(size, 60.0)), results))
        finally:
            emnify.stop()
        print(json.dumps(results))


def in_own_process(kind: str, size: int, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one case in a fresh process."""
    print(f"{kind}, N = {size}", file=sys.stderr, flush=True)
    command = [sys.executable, __file__, "--measure", kind, "--sizes", str(size)]
    command += ["--endpoints", str(options.endpoints), "--over", str(options.over)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"  {found}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Measure all cases, and write the results."""
    parser = argparse.ArgumentParser(description="Measure how many waits one triggerer holds.")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--endpoints", type=int, default=ENDPOINTS)
    parser.add_argument("--over", type=float, default=OVER, help="seconds in which the endpoints change")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--measure", choices=["waits", "today", "emnify", "airflow", "late"], help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.sizes[0], options.endpoints, options.over)
        return
    sizes, options.load = sorted(options.sizes), os.getloadavg()[0]
    ours = [in_own_process("waits", size, options) for size in sizes]
    now = [in_own_process("today", size, options) for size in sizes]
    held_alike = [in_own_process(kind, sizes[-1], options) for kind in ("emnify", "airflow")]
    too_many = in_own_process("late", LATE, options)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text(report(ours, now, held_alike, too_many, options))
    print(options.results)


if __name__ == "__main__":
    main()
