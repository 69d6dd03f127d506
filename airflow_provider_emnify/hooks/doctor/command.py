"""``python -m airflow_provider_emnify doctor``, and ``airflow emnify doctor``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

_HELP = "look at everything between this Airflow and emnify, and say in a table what is well and what is not"
_EPILOG = "It only reads, and shows no secret. Exits with 1 where something failed."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the doctor's arguments."""
    parser.add_argument("--conn-id", default="emnify_default", help="the connection (default: %(default)s)")
    parser.add_argument(
        "--json", metavar="FILE", help="also write what was found to a file ('-': print only it)"
    )


def doctor(args: argparse.Namespace) -> int:
    """Examine, print the table, and return the exit status."""
    from airflow_provider_emnify.hooks.doctor.examine import examine
    from airflow_provider_emnify.hooks.doctor.finding import as_json, table

    findings = list(examine(args.conn_id))
    report = json.dumps(as_json(findings), indent=2)
    if args.json == "-":
        print(report)  # noqa: T201 - a command prints
    else:
        print(table(findings))  # noqa: T201
        if args.json:
            with open(args.json, "w", encoding="utf-8") as file:
                file.write(report + "\n")
    return int(any(finding.state == "failed" for finding in findings))


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m airflow_provider_emnify``."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_emnify", description="emnify in Airflow"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_arguments(
        command := commands.add_parser("doctor", help=_HELP, description=f"{_HELP.capitalize()}. {_EPILOG}")
    )
    command.set_defaults(run=doctor)
    args = parser.parse_args(argv)
    return int(args.run(args))


def airflow_commands() -> list[Any]:
    """Return ``airflow emnify doctor``, for Airflow 3.2 and later, which take commands from providers."""
    from airflow.cli import cli_config

    argument: Any = cli_config.Arg
    conn_id = argument(("--conn-id",), default="emnify_default", help="the connection (default: %(default)s)")
    to_file = argument(
        ("--json",), metavar="FILE", help="also write what was found to a file ('-': print only it)"
    )

    def run(args: argparse.Namespace) -> None:
        sys.exit(doctor(args))

    command = cli_config.ActionCommand(
        name="doctor", help=_HELP, description=_EPILOG, func=run, args=(conn_id, to_file)
    )
    return [
        cli_config.GroupCommand(
            name="emnify", help="emnify, the cellular network for IoT devices", subcommands=[command]
        )
    ]
