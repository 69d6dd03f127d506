"""What others take for the same pages: a plain loop, pyarrow, pandas and dlt, each in a process of its own.

    python benchmarks/rows_peers.py NAME URL PAGES FOLDER [DATABASE]

prints what was measured as JSON. It runs in an environment without Airflow; benchmarks/rows.py makes it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = 2_500


def cpu() -> float:
    """Return the CPU time of this process and those that it has started."""
    return sum(os.times()[:4])


def pages(url: str, count: int) -> Iterator[list[dict[str, Any]]]:
    """Read all SIMs, as a script does."""
    import requests

    with requests.Session() as session:
        token = session.post(f"{url}/api/v1/authenticate", json={"application_token": "t"}, timeout=60)
        session.headers["Authorization"] = f"Bearer {token.json()['auth_token']}"
        for page in range(1, count + 1):
            answer = session.get(f"{url}/api/v1/sim", params={"page": page, "per_page": PAGE}, timeout=60)
            yield answer.json()


def plain(url: str, count: int, folder: str) -> int:
    """Write each row as it came; nothing is flattened, checked or converted."""
    rows = 0
    with Path(folder, "plain.jsonl").open("w") as file:
        for page in pages(url, count):
            file.writelines(json.dumps(row) + "\n" for row in page)
            rows += len(page)
    return rows


def from_pylist(url: str, count: int, folder: str) -> int:
    """Have pyarrow make a table of each page; objects stay objects."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, writer, schema = 0, None, None
    for page in pages(url, count):
        table = pa.Table.from_pylist(page, schema=schema)
        schema = table.schema
        writer = writer or pq.ParquetWriter(f"{folder}/plain.parquet", schema)
        writer.write_table(table)
        rows += len(page)
    assert writer is not None
    writer.close()
    return rows


def to_sql(url: str, count: int, folder: str, database: str = "") -> int:
    """Have pandas flatten each page and add it to a table."""
    import pandas as pd
    from sqlalchemy import create_engine

    engine, rows = create_engine(database or f"sqlite:///{folder}/pandas.db"), 0
    for page in pages(url, count):
        frame = pd.json_normalize(page, sep="_")
        frame.to_sql("pandas_sims", engine, if_exists="append" if rows else "replace", index=False)
        rows += len(page)
    return rows


def _dlt(url: str, count: int, folder: str, form: str) -> int:
    import dlt
    from dlt.sources.rest_api import rest_api_source

    source = rest_api_source(
        {
            "client": {
                "base_url": f"{url}/api/v1/",
                "paginator": {
                    "type": "page_number",
                    "base_page": 1,
                    "total_path": None,
                    "maximum_page": count + 1,
                },
            },
            "resources": [{"name": "sim", "endpoint": {"path": "sim", "params": {"per_page": PAGE}}}],
        }
    )
    target = dlt.destinations.filesystem(bucket_url=f"file://{folder}/dlt")
    pipeline = dlt.pipeline(
        "rows", destination=target, dataset_name="emnify", pipelines_dir=f"{folder}/state"
    )
    pipeline.run(source, loader_file_format=form)
    return pipeline.last_trace.last_normalize_info.row_counts["sim"]


def dlt_jsonl(url: str, count: int, folder: str) -> int:
    """Have dlt's REST source write flattened JSON lines."""
    return _dlt(url, count, folder, "jsonl")


def dlt_parquet(url: str, count: int, folder: str) -> int:
    """Have dlt's REST source write Parquet."""
    return _dlt(url, count, folder, "parquet")


PEERS: dict[str, Callable[..., int]] = {
    peer.__name__: peer for peer in (plain, from_pylist, to_sql, dlt_jsonl, dlt_parquet)
}
IMPORTS = {
    "from_pylist": "pyarrow.parquet",
    "to_sql": "pandas, sqlalchemy",
    "dlt": "dlt, dlt.sources.rest_api",
}

if __name__ == "__main__":
    name, url, count, *more = sys.argv[1:]
    for wanted, modules in {"": "requests", **IMPORTS}.items():
        if name.startswith(wanted):
            for module in modules.split(", "):
                __import__(module)  # what that takes is not measured
    before, began = cpu(), time.perf_counter()
    rows = PEERS[name](url, int(count), *more)
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    spent = {"cpu": cpu() - before, "seconds": time.perf_counter() - began, "peak": peak}
    print("\n" + json.dumps({"rows": rows, **spent}))
