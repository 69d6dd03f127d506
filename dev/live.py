"""Run the read-only example DAG ``fleet_status`` on your own fleet, and print its report."""

from __future__ import annotations

import json
import os
import sys
import urllib.error

from local_airflow import LocalAirflow, LocalAirflowError
from processes import ProcessEndedError

MISSING = """\
EMNIFY_APPLICATION_TOKEN is not set. Create an application token in the emnify portal (Integrations >
Application tokens), and hand it over in the environment, not on a command line:

    read -rs EMNIFY_APPLICATION_TOKEN && export EMNIFY_APPLICATION_TOKEN
    make live

Nothing was started. `make demo` needs no token: it runs against a sandbox."""


def tell(line: str) -> None:
    """Print a line of progress at once."""
    print(line, flush=True)


def main() -> int:
    """Run it.

    :return: 0 only if the DAG run succeeded
    """
    token = os.environ.pop("EMNIFY_APPLICATION_TOKEN", "").strip()
    if not token:
        print(MISSING, file=sys.stderr)
        return 2
    connection = {"conn_type": "emnify", "password": token}
    if host := os.environ.get("EMNIFY_BASE_URL"):
        connection["host"] = host
    try:
        with LocalAirflow(tell) as airflow:
            airflow.start(json.dumps(connection))
            airflow.wait_until_ready()
            run = airflow.run_dag("fleet_status", seconds=1800)
            if run.succeeded:
                report = run.result("report")
                tell(f"\nFleet of {report['organisation']}")
                tell(f"Endpoints: {counts(report['endpoints'])}")
                tell(f"SIMs: {counts(report['sims'])}")
                for row in report["connectivity"]:
                    tell(f"Endpoint {row['id']}, {row['name']}: {row['connectivity']}")
            else:
                print(f"\nThe DAG run {run.state}.\n{run.failures()}", file=sys.stderr)
    except (LocalAirflowError, ProcessEndedError, TimeoutError, urllib.error.URLError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.", file=sys.stderr)
        return 130
    return 0 if run.succeeded else 1


def counts(by_status: dict[str, int]) -> str:
    """Write counts by status as a line."""
    return ", ".join(f"{number} {status}" for status, number in sorted(by_status.items())) or "none"


if __name__ == "__main__":
    sys.exit(main())
