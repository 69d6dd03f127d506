"""The parts of benchmarks/sync.py that are measured, each in a process of its own.

    python benchmarks/sync_parts.py NAME ARGUMENT...

prints what was measured as JSON. Nothing but the standard library is imported before it is needed: one of
them runs in the environment of emnify's SDK.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
PAGE = 2_500
COPIED = 100_000


def peak_megabytes() -> float:
    """Return the most memory that this process has had."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def sync(stream: str, target: str, folder: str, per_page: str = "", days: int = 1) -> dict[str, Any]:
    """Run a transfer as a task does, and measure it.

    :param per_page: Rows a page, to have many requests; the most that emnify sends by default.
    :param days: Length of the interval.
    """
    from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator
    from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator, sql_hook

    if per_page:
        use_pages_of(stream, int(per_page))
    if target in {"jsonl", "csv", "parquet"}:
        operator: Any = EmnifyToObjectStorageOperator(
            task_id="sync", stream=stream, path=f"{folder}/{target}", format=target
        )
        if target == "parquet":
            import pyarrow.parquet  # noqa: F401 - so that its size is not taken for that of the rows
    else:
        operator = EmnifyToSqlOperator(task_id="sync", stream=stream, sql_conn_id=target, mode="replace")
        sql_hook(target).get_conn().close()
    client = operator.client
    client.authenticate()
    before, asked = peak_megabytes(), client.stats.requests
    end = datetime.now(UTC) - timedelta(hours=1)
    context = {
        "data_interval_start": end - timedelta(days=days),
        "data_interval_end": end,
        "outlet_events": {asset: SimpleNamespace() for asset in operator.outlets},
    }
    began, cpu = time.perf_counter(), time.process_time()
    result = operator.execute(context)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "rows": result["rows"],
        "files": [file["path"] for file in result.get("files", ())],
        "seconds": seconds,
        "cpu": cpu,
        "requests": client.stats.requests - asked,
        "retries": client.stats.retries,
        "before": before,
        "peak": peak_megabytes(),
    }


def sync_canned(stream: str, target: str, folder: str, *options: str) -> dict[str, Any]:
    """Run a transfer of the pages of canned.py; all is imported before it is measured.

    :param options: ``unlimited``: without the rate limits. ``orjson``: without that.
    """
    from importlib import import_module
    from pkgutil import walk_packages

    from airflow_provider_emnify import api, transfers
    from airflow_provider_emnify.api.limits.limits import Limits
    from airflow_provider_emnify.api.streams import readers

    if "orjson" in options:
        sys.modules["orjson"] = None  # type: ignore[assignment]
    for package in (api, transfers):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    if "unlimited" in options:
        Limits.acquire = lambda *_, **__: 0.0  # type: ignore[method-assign]
    readers.MOST_EVENTS = 10**9  # there is but one window
    return sync(stream, target, folder, days=366 if "usage" in stream else 1)


def use_pages_of(stream: str, per_page: int) -> None:
    """Have a stream read in smaller pages than emnify's largest."""
    from dataclasses import replace

    from airflow_provider_emnify.api.streams.catalogue import STREAMS
    from airflow_provider_emnify.api.streams.readers import listed

    STREAMS[stream] = replace(STREAMS[stream], read=listed(STREAMS[stream].call, per_page=per_page))


def plain(url: str, token: str, folder: str) -> dict[str, Any]:
    """List all SIMs as a script does: page by page into a list, then into a file."""
    import requests

    began = time.perf_counter()
    session = requests.Session()
    session.trust_env = False
    answer = session.post(f"{url}/api/v1/authenticate", json={"application_token": token}, timeout=60)
    session.headers["Authorization"] = f"Bearer {answer.json()['auth_token']}"
    before, rows, page = peak_megabytes(), [], 1
    while True:
        answer = session.get(f"{url}/api/v1/sim", params={"page": page, "per_page": PAGE}, timeout=60)
        rows += answer.json()
        if page >= int(answer.headers["X-Total-Pages"]):
            break
        page += 1
    with Path(folder, "plain.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return {
        "rows": len(rows),
        "seconds": time.perf_counter() - began,
        "requests": page,
        "before": before,
        "peak": peak_megabytes(),
    }


def official(url: str, token: str, folder: str) -> dict[str, Any]:
    """List all SIMs with emnify's SDK, and write them into a file. Runs in its environment."""
    os.environ["EMNIFY_SDK_API_ENDPOINT_URL"] = f"{url}/api"
    from emnify import EMnify

    before, began = peak_megabytes(), time.perf_counter()
    rows = list(EMnify(token).sim.get_sim_list())
    with Path(folder, "sdk.jsonl").open("w") as file:
        file.writelines(row.json() + "\n" for row in rows)
    return {
        "rows": len(rows),
        "seconds": time.perf_counter() - began,
        "before": before,
        "peak": peak_megabytes(),
    }


def load(way: str) -> dict[str, Any]:
    """Bring rows that are there already into PostgreSQL, with COPY or with ``executemany``."""
    from airflow_provider_emnify.api.streams.catalogue import get_stream
    from airflow_provider_emnify.transfers.sinks import sql_table
    from airflow_provider_emnify.transfers.sql import sql_hook

    stream = get_stream("sims")
    country = {"id": 74, "iso_code": "de"}
    organisation = {"id": 100, "name": "Fleet", "country": country}

    def batches() -> Iterator[Any]:
        for start in range(0, COPIED, PAGE):
            yield stream.converter.batch([row(number) for number in range(start, start + PAGE)])

    def row(number: int) -> dict[str, Any]:
        return {
            "id": number,
            "iccid": f"8988303{number:012d}",
            "imsi": f"90143{number:010d}",
            "msisdn": f"88228{number:010d}",
            "status": {"id": 1, "description": "Activated"},
            "endpoint": {"id": number},
            "customer_org": organisation,
            "reseller_org": organisation,
            "production_date": "2021-11-18T08:25:53.000+0000",
            "activation_date": "2021-11-19T08:25:53.000+0000",
        }

    if way == "executemany":
        sql_table.can_copy = lambda *_: False  # type: ignore[assignment]
    hook = sql_hook("postgresql")
    hook.run(f'DROP TABLE IF EXISTS "load_{way}"')
    table = sql_table.SqlTable(hook, f"load_{way}", None, stream.columns, stream.key)
    began = time.perf_counter()
    missing = table.missing()
    with table.transaction() as cursor:
        loaded = table.load_within(cursor, batches(), datetime.now(UTC), missing)
    return {"rows": loaded.rows, "seconds": time.perf_counter() - began}


def limited(url: str, token: str) -> dict[str, Any]:
    """Read a list within the documented limits: small pages, so that the limit is what holds it up."""
    from airflow_provider_emnify.api import Credentials, EmnifyClient, Limits

    with EmnifyClient(Credentials(application_token=token), base_url=url, limits=Limits("memory")) as client:
        client.authenticate()
        began = time.perf_counter()
        rows = sum(1 for _ in client.sims.list(per_page=50))
        seconds = time.perf_counter() - began
        return {"rows": rows, "seconds": seconds, "requests": client.stats.requests - 1}


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    part.__name__: part for part in (sync, sync_canned, plain, official, load, limited)
}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    print(json.dumps(PARTS[name](*arguments)))
