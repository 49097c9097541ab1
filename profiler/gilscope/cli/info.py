"""``gilscope info``: what a trace holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope

if TYPE_CHECKING:
    import argparse

    from gilscope.trace.model import Trace

LOCKS_SHOWN = 10


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "info",
        help="say what traces hold",
        description="Say what each trace holds: where it comes from, its threads, what they waited "
        "for, and what is missing in it.",
        epilog="Exit status: 0, also for a trace that was cut short, 2 if it cannot be read.",
    )
    parser.add_argument("traces", type=Path, nargs="+", metavar="TRACE")
    parser.add_argument(
        "--family",
        action="store_true",
        help="and of the processes that were recorded together with it",
    )
    parser.add_argument(
        "--json", action="store_true", help="as JSON (docs/summary.md), a list of several"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Print what the trace holds.

    Raises:
        TraceError: It cannot be read.
    """
    paths = options.traces
    if options.family:
        # Each once, in the order given and in each family that of their starts.
        paths = dict.fromkeys(relative for path in paths for relative in gilscope.family(path))
    facts = [describe(gilscope.open(path)) for path in paths]
    if options.json:
        print(json.dumps(facts if len(facts) > 1 else facts[0], indent=2))
    elif len(facts) == 1:
        print(text(facts[0]))
    else:
        print("\n\n".join(f"{'trace':<12} {one['trace']}\n{text(one)}" for one in facts))
    return 0


def describe(trace: Trace) -> dict[str, Any]:
    """Return what the trace holds as the object that docs/summary.md describes."""
    from gilscope.comparison import trace_summary  # noqa: PLC0415 - loaded on demand

    started = datetime.fromtimestamp(trace.start_realtime_ns / 1e9, UTC)
    return {
        "trace": str(trace.path),
        "build": trace.build,
        "python": trace.python,
        "executable": trace.executable,
        "argv": list(trace.argv),
        "pid": trace.pid,
        "started": started.isoformat(timespec="milliseconds"),
        "free_threaded": trace.free_threaded,
        "gil_enabled_before": trace.gil_enabled_start,
        "gil_enabled_after": trace.gil_enabled_end,
        "end_reason": trace.end_reason,
        "events": int((~trace.intervals.open).sum()) + len(trace.wakes),
        **trace_summary(trace),
    }


def text(facts: dict[str, Any]) -> str:
    """Return the facts as text."""
    from gilscope.comparison.table import duration, grid  # noqa: PLC0415 - loaded on demand
    from gilscope.config import BUILDS  # noqa: PLC0415

    ended = "ended early" if facts["ended_early"] else f"complete ({facts['end_reason']})"
    gil = facts["gil"]
    heads = [
        ["program", " ".join(facts["argv"])],
        ["interpreter", f"{BUILDS[facts['build']]}, {facts['python']}, {facts['executable']}"],
        ["started", f"{facts['started']}, process {facts['pid']}"],
        ["recorded", f"{duration(facts['duration_s'])}, {facts['events']:,} events, {ended}"],
        ["dropped", f"{facts['dropped_events']:,} events"],
        [
            "GIL",
            (
                f"{gil['acquires']:,} acquires, {gil['forced_releases']:,} forced releases, "
                f"held {duration(gil['hold_s'])}, waited for {duration(gil['wait_s'])}"
            ),
        ],
    ]
    lines = [f"{name:<12} {value}" for name, value in heads]
    columns = ("gil_hold_s", "gil_wait_s", "lock_wait_s", "blocked_s")
    rows = [["thread", "tid", "GIL held", "GIL wait", "lock wait", "blocked"]] + [
        [thread["name"], str(thread["tid"]), *(duration(thread[name]) for name in columns)]
        for thread in facts["threads"]
    ]
    lines += ["", *grid(rows)]
    locks = facts["locks"][:LOCKS_SHOWN]
    if locks:
        rows = [["contended lock", "kind", "waits", "time"]] + [
            [lock["name"], lock["kind"], f"{lock['waits']:,}", duration(lock["wait_s"])]
            for lock in locks
        ]
        lines += ["", *grid(rows)]
    lines += [f"not measured: {lost['class']}: {lost['reason']}" for lost in facts["not_measured"]]
    lines += [f"problem: {problem}" for problem in facts["problems"]]
    return "\n".join(line.rstrip() for line in lines)
