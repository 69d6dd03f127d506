"""``python -m airflow_provider_emnify doctor``, and ``airflow emnify doctor``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

_HELP = "look at everything between this Airflow and emnify, and say in a table what is well and what is not"
_EPILOG = "It only reads, and shows no secret. Exits with 1 where something failed."
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "--conn-id": {"default": "emnify_default", "help": "the connection (default: %(default)s)"},
    "--json": {"metavar": "FILE", "help": "also write what was found to a file ('-': print only it)"},
}


def doctor(args: argparse.Namespace) -> int:
    """Examine, print the table, and return the exit status."""
    from airflow_provider_emnify.hooks.doctor.examine import examine
    from airflow_provider_emnify.hooks.doctor.finding import table

    with _log_to_stderr():
        findings = list(examine(args.conn_id))
    report = json.dumps([asdict(finding) for finding in findings], indent=2)
    if args.json == "-":
        print(report)  # noqa: T201 - a command prints
    else:
        print(table(findings))  # noqa: T201
        if args.json:
            try:
                Path(args.json).write_text(f"{report}\n", encoding="utf-8")
            except OSError as error:
                sys.stderr.write(f"cannot write {args.json}: {error.strerror or error}\n")
                return 1
    return int(any(finding.state == "failed" for finding in findings))


@contextmanager
def _log_to_stderr() -> Iterator[None]:
    """Keep what Airflow logs to the standard output, wherever it has got that from, away from the report."""
    sys.stdout.flush()
    before = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(before, 1)
        os.close(before)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m airflow_provider_emnify``."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_emnify", description="emnify in Airflow"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "doctor", help=_HELP, description=f"{_HELP[0].upper()}{_HELP[1:]}. {_EPILOG}"
    )
    for name, options in _ARGUMENTS.items():
        command.add_argument(name, **options)
    command.set_defaults(run=doctor)
    args = parser.parse_args(argv)
    return int(args.run(args))


def airflow_commands() -> list[Any]:
    """Return ``airflow emnify doctor``, for Airflow 3.2 and later, which take commands from providers."""
    from airflow.cli import cli_config

    argument: Any = cli_config.Arg
    arguments = tuple(argument((name,), **options) for name, options in _ARGUMENTS.items())

    def run(args: argparse.Namespace) -> None:
        sys.exit(doctor(args))

    command = cli_config.ActionCommand(
        name="doctor", help=_HELP, description=_EPILOG, func=run, args=arguments
    )
    return [
        cli_config.GroupCommand(
            name="emnify", help="emnify, the cellular network for IoT devices", subcommands=[command]
        )
    ]
