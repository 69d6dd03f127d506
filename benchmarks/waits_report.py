"""The tables of ``benchmarks/results/waits.md``."""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

INTERVAL = 60.0

COMMON = [
    ("ended well", "succeeded", ",d"),
    ("seconds", "seconds", ",.0f"),
    ("requests a minute", "requests a minute", ",.1f"),
    ("429", "429", ",d"),
    ("authentications", "authentications", ",d"),
    ("change to event, median (s)", "median delay", ".1f"),
    ("change to event, 99th percentile (s)", "99th delay", ".1f"),
    ("CPU (s)", "CPU seconds", ".1f"),
    ("memory above the empty process (MB)", "MB", ".0f"),
    ("event loop held at most (ms)", "held ms", ".1f"),
]
OURS = [
    *COMMON[:3],
    ("requests a round, at most", "requests a round", ",d"),
    *COMMON[3:],
    ("event loop held, 99.9th percentile (ms)", "held 99.9th ms", ".1f"),
    ("of it CPU time of the process, full garbage collections left out (ms)", "held by us ms", ".1f"),
    ("full garbage collections", "collections", ",d"),
    ("the longest of them (ms)", "collection ms", ".1f"),
    ("the most CPU time of one (ms)", "collection CPU ms", ".1f"),
]
TODAY = [COMMON[0], ("failed", "failed", ",d"), *COMMON[1:]]
TARGETS = [
    ("no 429", "429", 0),
    ("one authentication", "authentications", 1),
    ("at most 30 requests a round", "requests a round", 30),
    ("event loop held for at most 50 ms", "held ms", 50),
    ("under 150 MB above the empty process", "MB", 150),
    ("median delay at most one interval (60 s)", "median delay", INTERVAL),
]


def table(cases: list[dict[str, Any]], rows: list[tuple[str, str, str]]) -> str:
    lines = ["| | " + " | ".join(f"N = {case['waits']:,}" for case in cases) + " |"]
    lines.append("|---" * (len(cases) + 1) + "|")
    for title, key, form in rows:
        shown = ("-" if case.get(key) is None else format(case[key], form) for case in cases)
        lines.append(f"| {title} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _held(case: dict[str, Any]) -> str:
    """Say what held the event loop for longest, as far as it can be told apart."""
    count, longest, ours = case["collections"], case["collection ms"], case["held by us ms"]
    return f"""What held the event loop: {count} full garbage collections of Python, {longest:.0f} ms at most.
Apart from these the process had its loop wait for at most {ours:.0f} ms of its CPU time. What is beyond
was the turn of other processes on this machine, the sandbox among them."""


def report(
    ours: list[dict[str, Any]],
    now: list[dict[str, Any]],
    options: argparse.Namespace,
) -> str:
    """Return the results as Markdown: what was measured with this provider and without it, for each size."""
    from airflow import __version__ as airflow

    biggest = ours[-1]
    targets = "\n".join(
        f"| {title} | {biggest[key]:,.1f} | {'met' if biggest[key] <= most else '**missed**'} |"
        for title, key, most in TARGETS
    )
    return f"""# Waits of a whole fleet in one triggerer

`{" ".join(["python benchmarks/waits.py", *sys.argv[1:]])}`, {time.strftime("%Y-%m-%d")}: Python
{platform.python_version()}, Airflow {airflow}, {platform.system()} {platform.machine()},
{os.cpu_count()} cores, with a load of {options.load:.1f} before.

A sandbox of {options.endpoints:,} endpoints with the documented limits on, in a process of its own. Each
wait is for one endpoint; `poke_interval` is {INTERVAL:.0f} s; the endpoints reach their target at random
over {options.over:.0f} s. One size was measured after the other.

## With this provider

{table(ours, OURS)}

The targets, at N = {biggest["waits"]:,}:

| target | reached | |
|---|---|---|
{targets}

{_held(biggest)}

## Without it

A deferred sensor a device, each with `HttpAsyncHook` of the HTTP provider, a token exchange of its own and a
GET every {INTERVAL:.0f} s, over the same sandbox; stopped after the seconds shown.

{table(now, TODAY)}
"""
