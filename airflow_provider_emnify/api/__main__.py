"""``python -m airflow_provider_emnify.api``: reference pages of the API as GitHub Markdown.

``operations`` (the default) is every operation and the call for it; ``streams`` is everything that can be
synced, with its columns.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from airflow_provider_emnify.api.limits.documented import limit_class
from airflow_provider_emnify.api.resources import RESOURCES, Operation, operations_of
from airflow_provider_emnify.api.streams.catalogue import STREAMS, Stream


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
            _secret(operation),
        )
        for call, operation in operations()
    )
    return table(("operation", "call", "paged", "limit", "secret"), rows)


def _secret(operation: Operation) -> str:
    """Return what of an operation is secret: all of it, or arguments, and fields of its answer."""
    if operation.secret:
        return "yes"
    parts = [_code(operation.secret_arguments)] if operation.secret_arguments else []
    parts += [f"answer: {_code(operation.secret_fields)}"] if operation.secret_fields else []
    return "; ".join(parts)


def streams() -> str:
    """Return the catalogue of the streams: one table of all, then the columns of each."""
    overview = table(
        ("stream", "rows", "kind", "key", "read", "limit", "filters"),
        (
            (
                f"[`{stream.name}`](#{stream.name})",
                stream.about,
                _kind(stream),
                _code(stream.key),
                stream.how,
                stream.limit,
                "yes" if stream.filters else "",
            )
            for stream in STREAMS.values()
        ),
    )
    return "\n\n".join([overview, *(_page(stream) for stream in STREAMS.values())])


def _page(stream: Stream) -> str:
    """Return one stream with its columns."""
    facts = [f"{stream.about}. {_kind(stream).capitalize()}, key {_code(stream.key)}, read as {stream.how}: "]
    facts += [f"`GET {stream.path}` ([emnify]({stream.page}))."]
    if stream.kept is not None:
        facts += [f" emnify keeps it for {stream.kept.days} days."]
    if stream.filters:
        facts += [f"\n\nFilters: {_code(stream.filters)}."]
    columns = (
        (f"`{column.name}`", column.type.value, _code(column.paths) if column.paths else "what is left")
        for column in stream.columns
    )
    return f"## {stream.name}\n\n{''.join(facts)}\n\n{table(('column', 'type', 'from'), columns)}"


def _kind(stream: Stream) -> str:
    return "snapshot" if stream.cursor is None else f"by `{stream.cursor}`"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a GitHub Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


PAGES = {"operations": reference, "streams": streams}


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
