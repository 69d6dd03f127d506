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
    count, longest, ours = case["collections"], case["collection CPU ms"], case["held by us ms"]
    return f"""What held the event loop: {count} full garbage collections of Python, {longest:.0f} ms of CPU
time at most. Apart from these the process had its loop wait for at most {ours:.0f} ms of its CPU time. What
is beyond was the turn of other processes on this machine, the sandbox among them."""


HELD = [
    ("objects that a collection looks at, before", "objects before", ",d"),
    ("objects a trigger more", "objects a trigger", ".1f"),
    ("a full collection before (ms of CPU time)", "ms before", ".0f"),
    ("... and with all of them", "ms", ".0f"),
    ("full collections while they begin", "collections", ",d"),
    ("... and later, while they wait", "collections later", ",d"),
    ("the most CPU time of one (ms)", "collection CPU ms", ".0f"),
    ("event loop held, full collections left out (ms of CPU time)", "held by us ms", ".1f"),
]


def _collector(emnify: dict[str, Any], airflow: dict[str, Any]) -> str:
    """Say what the garbage collector looks at, for waits and for the baseline."""
    types = sorted(
        emnify["types"].keys() | airflow["types"].keys(),
        key=lambda name: (-emnify["types"].get(name, 0.0), name),
    )
    rows = "\n".join(
        f"| {title} | {format(emnify[key], form)} | {format(airflow[key], form)} |"
        for title, key, form in HELD
    )
    each = "\n".join(
        f"| `{name}` | {emnify['types'].get(name, 0):.2f} | {airflow['types'].get(name, 0):.2f} |"
        for name in types
    )
    return f"""{emnify["triggers"]:,} triggers in Airflow's own `TriggerRunner`, with nothing else alive in
the process: waits of this provider, and as the baseline Airflow's `DateTimeTrigger`, which only sleeps.
`[emnify] triggerer_gc_freeze` was off.

| | waits of this provider | Airflow's `DateTimeTrigger` |
|---|---|---|
{rows}

So without freezing (`triggerer_gc_freeze = True`) the loop is held for longer than 50 ms now and then,
whoever's triggers these are: a full collection of the process without any takes longer, and some come
about while ten thousand begin. Here are the objects, of each type so many a trigger:

| type | this provider | `DateTimeTrigger` |
|---|---|---|
{each}
"""


def _late(case: dict[str, Any]) -> str:
    """Say what becomes of more waits than the limits allow."""
    statuses = ", ".join(f"{number:,} {status}" for status, number in case["statuses"].items())
    failures = "\n".join(f"- {number:,} times: {text}" for text, number in case["failures"])
    warnings = "\n".join(f"- {number:,} times: {text}" for text, number in case["warnings"])
    return f"""{case["waits"]:,} waits for the connectivity of a device each, with a timeout of 150 s, begun
at once; all devices online from the start; `task_share` is the default, a quarter. They took
{case["seconds"]:.0f} s and {case["requests"]:,} requests, {case["authentications"]} of them an
authentication, with {case["429"]} answers 429: {statuses}; the last success
after {case["last success s"]:.0f} s.

That is all that the limits allow: emnify has no list of connectivity (nor a filter, nor a field in another
list), so each device takes a request; an address has 2,000 in 300 s, of which 1,500 are for waits, and these
were made by then. The next are free 300 s after them. The shortest deadlines come first.

Failures:

{failures}

Warnings, the last of them {case["last warning s"]:.0f} s after the beginning, in the logs of
{case["tasks warned"]:,} tasks and once in the triggerer's:

{warnings}
"""


def report(
    ours: list[dict[str, Any]],
    now: list[dict[str, Any]],
    held_alike: list[dict[str, Any]],
    too_many: dict[str, Any],
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

### Whose objects a full collection looks at

{_collector(*held_alike)}
### More waits than the limits allow

{_late(too_many)}
## Without it

A deferred sensor a device, each with `HttpAsyncHook` of the HTTP provider, a token exchange of its own and a
GET every {INTERVAL:.0f} s, over the same sandbox; stopped after the seconds shown.

{table(now, TODAY)}
"""
