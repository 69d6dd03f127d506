"""The command ``emnify-sandbox``: an emnify API on this machine until Ctrl-C."""

from __future__ import annotations

import argparse
import errno
import json
import math
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from airflow_provider_emnify.sandbox.control.log import Entry
from airflow_provider_emnify.sandbox.control.scenarios import SCENARIOS
from airflow_provider_emnify.sandbox.sandbox import Sandbox
from airflow_provider_emnify.sandbox.settings import (
    CREATE_ANSWERS,
    MOST,
    TOKEN_FORMS,
    UNAUTHORIZED_FORMS,
    Settings,
)
from airflow_provider_emnify.sandbox.world.clock import event_date

DEFAULT_PORT = 8100
_LOG_SIZE = 10_000
_EPILOG = """\
scenarios:
{scenarios}

examples:
  emnify-sandbox --scenario small               ten devices on port {port}
  emnify-sandbox --endpoints 500 --no-limits    a fleet, as fast as it goes
  emnify-sandbox --seed 7 --port 0 --ready-file sandbox.json    for a script: a free port, named in a file

Faults, the clock and devices are controlled on its page and below /_sandbox/paths while it runs.
"""


def _number(smallest: int, largest: float = math.inf) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not smallest <= int(text) <= largest:
            bounds = f"from {smallest}" + ("" if largest == math.inf else f" to {largest}")
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {bounds}")
        return int(text)

    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0 or more")
    return seconds


def _token(text: str) -> str:
    if not text.isascii() or not text.isprintable() or not text.strip():
        raise argparse.ArgumentTypeError("an application token is of printable ASCII characters")
    return text


def _life(text: str) -> float:
    if not 0 < (seconds := _seconds(text)) < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of seconds above 0 for a token that expires"
        )
    return seconds


def _name(text: str) -> str:
    if not re.fullmatch(r"[\w.-]+|\[?[\da-fA-F:]+]?", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a host name or IP address, without scheme and port"
        )
    return text.strip("[]")


_COUNT = {"type": _number(0, MOST), "metavar": "N"}
_SECONDS = {"type": _seconds, "metavar": "SECONDS"}
_SWITCH = {"action": "store_true"}
_PORT = {"type": _number(0, 65_535), "metavar": "N", "default": DEFAULT_PORT}
_NAMES = {"type": _name, "action": "append", "dest": "allow_hosts", "metavar": "NAME", "default": []}
_OPTIONS: dict[str, dict[str, tuple[Mapping[str, Any], str]]] = {
    "server": {
        "--port": (_PORT, "port to listen on; 0: a free one"),
        "--host": ({"type": _name}, "address to listen on"),
        "--allow-host": (
            _NAMES,
            "another name to control it under, such as its container's; may be repeated",
        ),
        "--quiet": (_SWITCH, "print no line for each request"),
        "--ready-file": (
            {"type": Path, "metavar": "FILE"},
            "write url, application_token, connection and pid to this file as JSON",
        ),
    },
    "what is there": {
        "--scenario": ({"choices": SCENARIOS}, "a sandbox to begin with; other options win"),
        "--endpoints": (_COUNT, f"endpoints to start with, all online; at most {MOST}"),
        "--spare-sims": (_COUNT, "free SIMs to start with"),
        "--events": (_COUNT, "events of the last 29 days to start with"),
        "--euiccs": (_COUNT, "eUICCs to start with"),
        "--seed": ({"type": _number(0), "metavar": "N"}, "the same seed, the same ids and application token"),
        "--application-token": (
            {"type": _token, "metavar": "TOKEN"},
            "the application token that is accepted",
        ),
    },
    "how it behaves": {
        "--no-limits": (_SWITCH, "switch the documented rate limits off"),
        "--retry-after": (_SWITCH, "send Retry-After with a 429"),
        "--token-life": ({"type": _life, "metavar": "SECONDS"}, "life of an auth token in seconds"),
        "--token-form": ({"choices": TOKEN_FORMS}, "form of the auth tokens"),
        "--unauthorized": ({"choices": UNAUTHORIZED_FORMS}, "form of a 401"),
        "--online-after": (_SECONDS, "seconds until a device is online"),
        "--sms-delivered-after": (_SECONDS, "seconds until an SMS reaches a device"),
        "--operations-after": (_SECONDS, "seconds until an eUICC or SIM operation is over"),
        "--streams-running-after": (_SECONDS, "seconds until a data stream runs"),
        "--attachments-active-after": (_SECONDS, "seconds until a Cloud Connect attachment is active"),
        "--activate-users-after": (_SECONDS, "seconds until a new user is active; never without it"),
        "--create-answer": ({"choices": CREATE_ANSWERS}, "what the creation of an endpoint answers"),
        "--factory-test-mode": (_SWITCH, "activated SIMs go into factory test first"),
        "--mfa": (_SWITCH, "ask the user for a second factor"),
        "--quirks": (_SWITCH, "send every second event in the other recorded form"),
    },
}
"""The options by group: how each is parsed, and its help. What a setting is by default, it is here."""


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Says defaults, and leaves the end as it is written."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return super()._get_help_string(action) if action.default else action.help


class _Parser(argparse.ArgumentParser):
    """Names the option or value that may be meant."""

    def error(self, message: str) -> NoReturn:
        known = {
            name for action in self._actions for name in (*action.option_strings, *(action.choices or ()))
        }
        wrong = re.search(r"(?:choice: '|arguments: )([^\s']+)", message)
        near = get_close_matches(wrong[1], known, n=1) if wrong else ()
        super().error(message + "".join(f"; did you mean {one!r}?" for one in near))


def _parser() -> argparse.ArgumentParser:
    scenarios = "\n".join(f"  {name:16} {scenario.about}" for name, scenario in SCENARIOS.items())
    parser = _Parser(
        prog="emnify-sandbox",
        usage="emnify-sandbox [options]; --help names them",
        description="An emnify API to develop against, in memory, without SIMs or money.",
        epilog=_EPILOG.format(scenarios=scenarios, port=DEFAULT_PORT),
        formatter_class=_Help,
    )
    for title, options in _OPTIONS.items():
        group = parser.add_argument_group(title)
        for option, (kind, about) in options.items():
            usual = getattr(Settings, option.removeprefix("--").replace("-", "_"), None)
            group.add_argument(option, help=about, **{"default": usual, **kind})
    return parser


def parse_options(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse arguments; what a scenario sets is the default of what is not given."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.scenario is None:
        return options
    parser.set_defaults(**SCENARIOS[options.scenario].settings)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sandbox until it is interrupted or terminated.

    :param argv: Arguments; those of the process by default.
    :return: 0, or 1 if the sandbox could not be started.
    """
    options = parse_options(argv)
    settings = vars(options)
    ready_file: Path | None = settings.pop("ready_file")
    scenario, quiet = settings.pop("scenario"), settings.pop("quiet")
    sandbox = Sandbox(limits=not settings.pop("no_limits"), log_size=_LOG_SIZE, **settings)
    if scenario is not None:
        SCENARIOS[scenario].begin(sandbox)
    if not quiet:
        sandbox.watch_requests(_tell)
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
            why, taken = error.strerror or error, error.errno in {errno.EADDRINUSE, errno.EACCES}
            remedy = "; --port 0 takes a free one" if taken else ""
            return _fail(f"cannot listen on {options.host} port {options.port}: {why}{remedy}")
        if ready_file is not None:
            try:
                written = _write(ready_file, sandbox)
            except OSError as error:
                return _fail(f"cannot write {ready_file}: {error.strerror or error}")
        _say(
            f"emnify sandbox on {sandbox.url} (open it in a browser to see and control it)",
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


def _tell(entry: Entry) -> None:
    """Print what was asked and how it was answered, in one line."""
    status, took = entry.status or "no answer", (entry.seconds or 0) * 1000
    _say(f"{event_date(entry.at)[11:19]} {entry.method} {entry.target} {status} {took:.0f} ms")


def _write(path: Path, sandbox: Sandbox) -> Path:
    content = {
        "url": sandbox.url,
        "application_token": sandbox.application_token,
        "connection": sandbox.airflow_connection,
        "pid": os.getpid(),
    }
    draft = path.parent / f"{path.name}.{os.getpid()}"
    try:
        draft.write_text(json.dumps(content))
        return draft.replace(path)  # whole or not at all
    finally:
        draft.unlink(missing_ok=True)


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _fail(reason: str) -> int:
    sys.stderr.write(f"emnify-sandbox: {reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
