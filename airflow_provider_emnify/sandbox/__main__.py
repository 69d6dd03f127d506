"""The command ``emnify-sandbox``: an emnify API on this machine until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emnify.sandbox.sandbox import CREATE_ANSWERS, TOKEN_LIFE, Sandbox
from airflow_provider_emnify.sandbox.world.accounts import TOKEN_FORMS, UNAUTHORIZED_FORMS
from airflow_provider_emnify.sandbox.world.state import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LOG_SIZE = 10_000
_LAST_PORT = 65_535
_DELAYS = {
    "--online-after": "a device is online",
    "--sms-delivered-after": "an SMS reaches a device",
    "--operations-after": "an eUICC or SIM operation is over",
    "--streams-running-after": "a data stream runs",
    "--attachments-active-after": "a Cloud Connect attachment is active",
}


def _number(smallest: int, largest: float = math.inf) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not smallest <= int(text) <= largest:
            bounds = f"from {smallest}" + ("" if largest == math.inf else f" to {largest}")
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number {bounds}")
        return int(text)

    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _life(text: str) -> float:
    seconds = _seconds(text)
    if seconds == 0 or math.isinf(seconds):
        raise argparse.ArgumentTypeError("a token lives for more than 0 seconds, and not for ever")
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emnify-sandbox",
        description="An emnify API to develop against, in memory, without SIMs or money.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add(
        "--allow-host",
        action="append",
        default=[],
        dest="allow_hosts",
        metavar="NAME",
        help="another name under which it is controlled, for example its container's; may be repeated",
    )
    add("--port", type=_number(0, _LAST_PORT), default=0, help="port to listen on; 0: a free one")
    add("--endpoints", type=_number(0), default=0, help="endpoints to start with, all online")
    add("--spare-sims", type=_number(0), default=100, help="free SIMs to start with")
    add("--events", type=_number(0), default=0, help="events of the last 29 days to start with")
    add("--euiccs", type=_number(0), default=0, help="eUICCs to start with")
    add("--no-limits", action="store_true", help="switch the documented rate limits off")
    add("--retry-after", action="store_true", help="send Retry-After with a 429")
    add("--token-life", type=_life, default=TOKEN_LIFE, help="life of an auth token in seconds")
    add("--token-form", choices=TOKEN_FORMS, default="jwt", help="form of the auth tokens")
    add("--unauthorized", choices=UNAUTHORIZED_FORMS, default="gateway", help="form of a 401")
    for option, what in _DELAYS.items():
        default = getattr(Settings, option.removeprefix("--").replace("-", "_"))
        add(option, type=_seconds, default=default, help=f"seconds until {what}")
    add("--activate-users-after", type=_seconds, help="seconds until a new user is active; never without it")
    add(
        "--create-answer",
        choices=CREATE_ANSWERS,
        default="body",
        help="what the creation of an endpoint answers",
    )
    add("--factory-test-mode", action="store_true", help="activated SIMs go into factory test first")
    add("--mfa", action="store_true", help="ask the user for a second factor")
    add("--quirks", action="store_true", help="send every second event in the other recorded form")
    add("--seed", type=_number(0), default=0, help="seed of everything random")
    add(
        "--ready-file",
        type=Path,
        help="write url, application_token, connection and pid to this file as JSON",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sandbox until it is interrupted or terminated.

    :param argv: Arguments; those of the process by default.
    :return: 0, or 1 if the sandbox could not be started.
    """
    options = _parser().parse_args(argv)
    settings = vars(options)
    ready_file: Path | None = settings.pop("ready_file")
    sandbox = Sandbox(limits=not settings.pop("no_limits"), log_size=_LOG_SIZE, **settings)
    ended = threading.Event()
    written: Path | None = None
    before = {
        number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        try:
            sandbox.start()
        except ImportError as error:
            return _fail(f"{error.name} is missing: pip install 'airflow-provider-emnify[sandbox]'")
        except OSError as error:
            return _fail(f"cannot listen on {options.host} port {options.port}: {error.strerror or error}")
        if ready_file is not None:
            try:
                written = _write(ready_file, sandbox)
            except OSError as error:
                return _fail(f"cannot write {ready_file}: {error.strerror or error}")
        _say(
            f"emnify sandbox on {sandbox.url}",
            f"application token: {sandbox.application_token}",
            f"user: {sandbox.username}, password: {sandbox.password}",
            f"export AIRFLOW_CONN_EMNIFY_DEFAULT='{sandbox.airflow_connection}'",
            "Ctrl-C ends it.",
        )
        ended.wait()
    finally:
        sandbox.stop()
        if written is not None:
            written.unlink(missing_ok=True)
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _write(path: Path, sandbox: Sandbox) -> Path:
    content = {
        "url": sandbox.url,
        "application_token": sandbox.application_token,
        "connection": sandbox.airflow_connection,
        "pid": os.getpid(),
    }
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(content))
    return draft.replace(path)  # whole or not at all


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _fail(reason: str) -> int:
    sys.stderr.write(f"emnify-sandbox: {reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
