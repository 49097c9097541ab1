"""``gilscope info``: what a trace holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli.plain import say

if TYPE_CHECKING:
    import argparse

    from gilscope.trace.model import Trace


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "info",
        help="describe traces",
        description="Describe each trace: where it comes from, its threads, what they waited for, "
        "and what is missing.",
        epilog="Exit status: 0, also for a trace that was cut short, 2 if it cannot be read.",
    )
    parser.add_argument("traces", type=Path, nargs="+", metavar="TRACE")
    parser.add_argument(
        "--family",
        action="store_true",
        help="also describe the processes that were recorded together with it",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print JSON (docs/summary.md), a list for several traces",
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Print what the trace holds.

    Raises:
        TraceError: It cannot be read.
    """
    with gilscope.reader_side():
        from gilscope.cli.tables import working  # noqa: PLC0415 - loaded on demand
    paths = options.traces
    if options.family:
        # Each once, in the order given and in each family that of their starts.
        paths = dict.fromkeys(relative for path in paths for relative in gilscope.family(path))
    facts = []
    for path in paths:
        with working(f"reading {path}"):
            facts.append(describe(gilscope.open(path)))
    if options.json:
        print(json.dumps(facts if len(facts) > 1 else facts[0], indent=2))
        return 0
    from gilscope.cli.info_text import text  # noqa: PLC0415 - loaded on demand

    if len(facts) == 1:
        say(text(facts[0]))
    else:
        say("\n\n".join(f"{'trace':<12} {one['trace']}\n{text(one)}" for one in facts))
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
        "events": _events(trace),
        **trace_summary(trace),
    }


def _events(trace: Trace) -> int:
    """Return how many events were recorded, without those that the reader closed."""
    closed = int((~trace.intervals.open).sum()) + int((~trace.callbacks.open).sum())
    moments = len(trace.wakes) + len(trace.gil_switches) + len(trace.gil_samples)
    return closed + len(trace.thread_states) + moments
