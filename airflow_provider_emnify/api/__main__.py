"""``python -m airflow_provider_emnify.api``: every operation of the API and the call for it, as a table."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.limits import limit_class
from airflow_provider_emnify.api.resources import RESOURCES, operations_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_emnify.api.resources import Operation


def operations() -> list[tuple[str, Operation]]:
    """Return every call (``users.create``) with its operation, in the order of paths."""
    calls = [
        (f"{name}.{method}", operation)
        for name, resource in RESOURCES.items()
        for method, operation in operations_of(resource).items()
    ]
    return sorted(calls, key=lambda call: (call[1].path, call[1].method, call[0]))


def reference() -> str:
    """Return the reference of all operations as a GitHub Markdown table."""
    rows = (
        (
            f"`{operation.method} {operation.path}`",
            f"`client.{call}`",
            "yes" if operation.paged else "",
            limit_class(operation.method, operation.path),
            "yes" if operation.secret else "",
        )
        for call, operation in operations()
    )
    return table(("operation", "call", "paged", "limit", "secret"), rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a GitHub Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


PAGES = {"operations": reference}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the page that is asked for.

    :param arguments: Command line without the program's name.
    :returns: Exit code.
    """
    parser = argparse.ArgumentParser("python -m airflow_provider_emnify.api", description=__doc__)
    parser.add_argument("page", nargs="?", choices=PAGES, default="operations", help="what to print")
    page = parser.parse_args(arguments).page
    sys.stdout.write(PAGES[page]() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
