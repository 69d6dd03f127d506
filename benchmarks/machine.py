"""What every page of results begins with: the command, the machine and the day."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

MISSED = "**missed**"


def heading(title: str, program: str) -> str:
    """Return the title of a page, and what it was measured with."""
    import airflow

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    return f"""# {title}

`{" ".join(["python", f"benchmarks/{program}", *sys.argv[1:]])}`
on {os.cpu_count()} cores ({processor}), {platform.system()} {platform.release()},
Python {platform.python_version()}, Airflow {airflow.__version__}, {datetime.now(UTC):%Y-%m-%d},
with a load of {os.getloadavg()[0]:.1f} before. CPU time throughout; what is compared was measured in turn,
in one run: the ratios hold on other machines, the figures do not.
"""


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown: the first column is text, the others are figures."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def checks(targets: list[tuple[str, float, float]]) -> str:
    """Return a line for each target: what it is of, what was reached, and the most that it may be."""
    return "\n".join(
        f"* {'met' if reached <= most else MISSED}: {title}: {reached:.2f} (at most {most:g})"
        for title, reached, most in targets
    )
