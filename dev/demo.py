"""Run the example DAG ``onboard`` on a real Airflow against a sandbox, and show what came of it."""

from __future__ import annotations

import sys
import time
import urllib.error
from typing import Any

from local_airflow import LocalAirflow, LocalAirflowError
from local_sandbox import LocalSandbox
from processes import ProcessEndedError


def main() -> int:
    """Run it.

    :return: 0 only if the DAG run succeeded
    """
    started = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - started:5.1f} s  {line}", flush=True)

    try:
        with LocalAirflow(tell) as airflow:
            tell("starting the sandbox")
            sandbox = LocalSandbox(airflow.processes, airflow.home, "--endpoints", "0")
            tell(f"emnify sandbox on {sandbox.url}")
            airflow.start(sandbox.connection)
            airflow.wait_until_ready()
            tell("Airflow is up")
            run = airflow.run_dag("onboard")
            if run.succeeded:
                show(run.result("report"), sandbox.counts())
            else:
                print(f"\nThe DAG run {run.state}.\n{run.failures()}", file=sys.stderr)
            tell("ending Airflow and the sandbox")
    except (LocalAirflowError, ProcessEndedError, TimeoutError, urllib.error.URLError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.", file=sys.stderr)
        return 130
    tell("done" if run.succeeded else "failed")
    return 0 if run.succeeded else 1


def show(report: dict[str, Any], counts: dict[str, Any]) -> None:
    """Print what was created, and what it took.

    :param report: what the DAG's task ``report`` returned
    :param counts: what the sandbox has counted
    """
    rows = [("user", report["user"]["id"], report["user"]["username"], "")]
    rows += [
        ("endpoint", row["id"], row["name"], f"{row['status']}, {row['connectivity']}")
        for row in report["endpoints"]
    ]
    table = [("CREATED", "ID", "NAME", "STATE"), *[tuple(map(str, row)) for row in rows]]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    print()
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(
        f"\nRequests sent: {counts['requests']}, authentications made: {counts['authentications']}\n",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
