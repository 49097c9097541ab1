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


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "info",
        help="say what a trace holds",
        description="Say what a trace holds: where it comes from, its threads, what they waited "
        "for, and what is missing in it.",
        epilog="Exit status: 0, also for a trace that was cut short, 2 if it cannot be read.",
    )
    parser.add_argument("trace", type=Path, metavar="TRACE")
    parser.add_argument("--json", action="store_true", help="as JSON (docs/summary.md)")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Print what the trace holds.

    Raises:
        TraceError: It cannot be read.
    """
    trace = gilscope.open(options.trace)
    facts = describe(trace)
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        from gilscope.cli.info_text import text  # noqa: PLC0415 - loaded on demand

        print(text(facts))
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
    """Return how many events were recorded; what the reader closed is none."""
    closed = int((~trace.intervals.open).sum()) + int((~trace.callbacks.open).sum())
    return closed + len(trace.wakes) + len(trace.thread_states) + len(trace.gil_switches)
