"""Airflow's web UI with the example DAGs, a sandbox of emnify and the connection to it, until Ctrl-C."""

from __future__ import annotations

import sys
import time

from local_airflow import LocalAirflow, LocalAirflowError
from local_sandbox import LocalSandbox
from processes import ProcessEndedError


def tell(line: str) -> None:
    """Print a line of progress at once."""
    print(line, flush=True)


def main() -> int:
    """Run it.

    :return: 0 when it was ended with Ctrl-C, 1 when it could not run on
    """
    try:
        with LocalAirflow(tell) as airflow:
            tell("starting the sandbox")
            flags = ("--scenario", "idle-sims", "--events", "100")
            sandbox = LocalSandbox(airflow.processes, airflow.home, *flags)
            airflow.start(sandbox.connection)
            airflow.wait_until_ready()
            tell(
                f"\nAirflow:   {airflow.url}   username: {airflow.username}   password: {airflow.password}\n"
                f"Sandbox:   {sandbox.url}   connection: emnify_default   open it to control devices\n"
                "\nCtrl-C ends both. Nothing is kept."
            )
            while True:
                airflow.processes.check()
                time.sleep(0.5)
    except (LocalAirflowError, ProcessEndedError, TimeoutError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        tell("\nEnded; nothing is left running.")
        return 0


if __name__ == "__main__":
    sys.exit(main())
