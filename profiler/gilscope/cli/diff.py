"""``gilscope diff``: two traces of one program, before and after a change."""

from __future__ import annotations

import json
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli.plain import clean

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from gilscope.analysis.comparing.diff import Change, Condition

FAILED = 1
ROWS_SHOWN = 10
LITTLE = 0.001  # of the longer run: what a table by name leaves out


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "diff",
        help="compare two traces of one program, before and after a change",
        description="Print the metrics of two traces side by side (docs/command-line.md), and what "
        "changed by lock and by callable.",
        epilog="Exit status: 0; 1 if a --fail-if condition is true; 2 if a trace cannot be read or "
        "a condition is invalid.",
    )
    option = parser.add_argument
    option("before", type=Path, metavar="A")
    option("after", type=Path, metavar="B")
    option(
        "--fail-if",
        action="append",
        default=[],
        metavar="CONDITION",
        help="exit with 1 if B meets this condition, e.g. 'gil.wait_s > 1.2x' (times that of A), "
        "'gil.wait_s > 10%%' (more than A), 'gil.wait_max_s > 50ms', 'findings.count > 0'; may be "
        "repeated",
    )
    option("--all", action="store_true", help="also show metrics that are 0 in both")
    option("--json", action="store_true", help="print JSON (docs/command-line.md)")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Print the differences, and which conditions are true.

    Raises:
        TraceError: A trace cannot be read.
        UsageError: A condition is invalid.
    """
    with gilscope.reader_side():
        from gilscope.analysis.comparing import diff  # noqa: PLC0415 - loaded on demand
        from gilscope.analysis.comparing.metrics import metrics  # noqa: PLC0415 - loaded on demand
        from gilscope.analysis.facts import Facts  # noqa: PLC0415 - loaded on demand
        from gilscope.analysis.top import top  # noqa: PLC0415 - loaded on demand
        from gilscope.cli.tables import working  # noqa: PLC0415 - loaded on demand
    conditions = [diff.parse(text) for text in options.fail_if]
    with working("reading the traces"):
        both = [Facts(gilscope.open(path)) for path in (options.before, options.after)]
        changes = diff.changes(*(metrics(facts) for facts in both))
        true = [condition.holds(changes) for condition in conditions]
        named = {by: diff.changed_rows(*(top(facts, by) for facts in both)) for by in NAMED}
    notes = _notes(*(facts.trace for facts in both))
    if options.json:
        _print_json(options, changes, named, list(zip(conditions, true, strict=True)), notes)
    else:
        _print_tables(options, changes, named, notes)
        for condition, is_true in zip(conditions, true, strict=True):
            print(f"{'FAILED' if is_true else 'ok'}: {condition.text}")
    return FAILED if any(true) else 0


NAMED = ("lock", "callable")


def _notes(before: Any, after: Any) -> list[str]:
    """Return what makes the traces hard to compare."""
    notes = []
    if before.build != after.build:
        notes.append(f"the traces are of different builds: {before.build} and {after.build}")
    if before.argv != after.argv:
        notes.append("the programs had different arguments")
    for name, trace in (("A", before), ("B", after)):
        if trace.dropped_events or trace.ended_early:
            notes.append(f"{name} is incomplete: events are missing")
    return notes


def _print_tables(
    options: argparse.Namespace,
    changes: Sequence[Change],
    named: dict[str, list[tuple[Change, str]]],
    notes: Iterable[str],
) -> None:
    from gilscope.cli.tables import console, table  # noqa: PLC0415 - loaded on demand

    screen = console()
    rows = [
        [one.name, *(_value(one.name, value) for value in (one.before, one.after)), _ratio(one)]
        for one in changes
        if options.all or one.before or one.after
    ]
    screen.print(table("metrics", ["", "A", "B", "B / A"], rows))
    longest = max(max(one.before, one.after) for one in changes if one.name == "run.duration_s")
    for by, pairs in named.items():
        made = _by_name(by, pairs, LITTLE * longest)
        if made.row_count:
            screen.print(made)
    for note in notes:
        screen.print(f"note: {clean(note)}")


def _by_name(by: str, pairs: Sequence[tuple[Change, str]], least: float) -> Table:
    from gilscope.cli.tables import table  # noqa: PLC0415 - loaded on demand

    rows = [
        [one.name, *(_value("_s", value) for value in (one.before, one.after)), _ratio(one)]
        for one, _ in pairs[:ROWS_SHOWN]
        if max(one.before, one.after) >= least
    ]
    what = {"lock": "waits by lock", "callable": "calls by native code, by callable"}[by]
    return table(what, [by, "A", "B", "B / A"], rows)


def _value(name: str, value: float) -> str:
    from gilscope.cli.tables import time  # noqa: PLC0415 - loaded on demand

    return time(value * 1e9) if name.endswith("_s") else f"{value:,.0f}"


def _ratio(change: Change) -> str:
    return "new" if isinf(change.ratio) else f"{change.ratio:.2f}x"


def _print_json(
    options: argparse.Namespace,
    changes: Sequence[Change],
    named: dict[str, list[tuple[Change, str]]],
    conditions: Sequence[tuple[Condition, bool]],
    notes: list[str],
) -> None:
    result = {
        "before": str(options.before),
        "after": str(options.after),
        "notes": notes,
        "metrics": {one.name: _both(one) for one in changes},
        **{
            by: [{"name": one.name, "detail": detail, **_both(one)} for one, detail in pairs]
            for by, pairs in named.items()
        },
        "conditions": [
            {"condition": condition.text, "true": is_true} for condition, is_true in conditions
        ],
    }
    print(json.dumps(result, indent=2))


def _both(change: Change) -> dict[str, float | None]:
    """Return both values; the ratio is null where only the first one is 0."""
    ratio = None if isinf(change.ratio) else change.ratio
    return {"before": change.before, "after": change.after, "ratio": ratio}
