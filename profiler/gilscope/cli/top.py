"""``gilscope top``: the longest waits, by thread, lock, callable, line and native function."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli import concurrency
from gilscope.options import argument, whole_number
from gilscope.text import shortened

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from rich.table import Table

    from gilscope.analysis.facts import Facts
    from gilscope.analysis.top import Row

TABLES = ("thread", "lock", "callable", "line", "function", "span")
MORE = ("blame", "path", "concurrent")
SORTS = ("total", "caused", "count", "p50", "p99", "max")
LIMIT = 10
DETAIL_WIDTH = 50
TEXTS = 2  # columns of text, with which a table begins
TITLES = {
    "thread": "waits for the GIL and for locks, by thread",
    "lock": "waits, by lock",
    "callable": "calls by native code, by what was called",
    "line": "waits, by Python line",
    "function": "waits, by native function",
    "span": "spans, by name",
}

COUNTED = {"callable": "calls", "span": "times"}
"""What a table counts, if not waits."""

NO_PAIRS = "native code called nothing in several threads at the same time in this trace"


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "top",
        help="list the longest waits by thread, lock, callable, line and native function",
        description="Print tables of a trace: the longest waits, and the waits of other threads "
        "that each thread or function caused while it held the GIL or a lock. 'blame' shows which "
        "thread waited for which, 'path' the critical path, "
        "'concurrent' the callables that ran at the same time in several threads, or would without "
        "the GIL.",
        epilog="Exit status: 0, 2 if the trace cannot be read.",
    )
    option = parser.add_argument
    option("trace", type=Path, metavar="TRACE")
    option(
        "--by",
        choices=(*TABLES, *MORE),
        action="append",
        help="print this table only; may be repeated",
    )
    option("--sort", choices=SORTS, default="total", help="sort order (default total)")
    option(
        "--limit",
        type=argument(whole_number),
        default=LIMIT,
        metavar="N",
        help=f"rows of each table (default {LIMIT})",
    )
    option(
        "--json", action="store_true", help="print JSON (docs/command-line.md), times in seconds"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Print the tables.

    Raises:
        TraceError: The trace cannot be read.
    """
    with gilscope.reader_side():
        from gilscope.analysis.facts import Facts  # noqa: PLC0415 - loaded on demand
        from gilscope.analysis.top import top  # noqa: PLC0415 - loaded on demand
        from gilscope.cli.tables import console, working  # noqa: PLC0415 - loaded on demand
    wanted = tuple(dict.fromkeys(options.by or (*TABLES, *MORE)))
    with working(f"reading {options.trace}"):
        facts = Facts(gilscope.open(options.trace))
        rows = {by: top(facts, by, options.sort) for by in wanted if by in TABLES}
        if options.json:
            print(json.dumps(_as_dict(facts, rows, wanted, options), indent=2))
            return 0
        tables = [_table(by, found, options.limit) for by, found in rows.items() if found]
        tables += [_MORE[name](facts, options.limit) for name in wanted if name in MORE]
    screen = console()
    shown = [one for one in tables if one.row_count]
    for one in shown:
        screen.print(one)
    if not shown:
        screen.print(NO_PAIRS if wanted == ("concurrent",) else "no waits in this trace")
    return 0


def _table(by: str, rows: list[Row], limit: int) -> Table:
    from gilscope.analysis.stacks import short  # noqa: PLC0415 - loaded on demand
    from gilscope.cli.tables import table, time  # noqa: PLC0415 - loaded on demand

    columns = [by, "", COUNTED.get(by, "waits"), "total", "p50", "p99", "max"]
    cells = [
        [
            short(row.name) if by == "function" else row.name,
            shortened(row.detail, DETAIL_WIDTH),
            f"{row.count:,}",
            *(time(ns) for ns in (row.total_ns, row.p50_ns, row.p99_ns, row.max_ns)),
            time(row.caused_ns),
        ]
        for row in rows[:limit]
    ]
    columns.append("caused")
    # Columns without any text are left out, and so is "caused" if it is 0 everywhere.
    caused = any(row.caused_ns for row in rows)
    shown = range(len(columns) if caused else len(columns) - 1)
    kept = [place for place in shown if any(row[place] for row in cells)]
    title = TITLES[by] + (f" ({limit} of {len(rows)})" if len(rows) > limit else "")
    texts = sum(place < TEXTS for place in kept)
    cells = [[row[p] for p in kept] for row in cells]
    return table(title, [columns[p] for p in kept], cells, texts)


def _blame(facts: Facts, limit: int) -> Table:
    """Return which thread waited for which: the worst pairs."""
    from gilscope.cli.tables import table, time  # noqa: PLC0415 - loaded on demand

    rows = [
        [pair["waiter"], pair["holder"] or "(none, or unknown)", time(pair["gil_s"] * 1e9),
         time(pair["lock_s"] * 1e9)]
        for pair in _pairs(facts, limit)
    ]  # fmt: skip
    head = ["thread", "waited for", "for the GIL", "for locks"]
    return table("which thread waited for which", head, rows, TEXTS)


def _pairs(facts: Facts, limit: int | None = None) -> list[dict[str, Any]]:
    blame, trace = facts.blame, facts.trace
    columns = (blame.waiter, blame.holder, blame.gil_ns, blame.lock_ns)
    pairs = sorted(
        zip(*(column.tolist() for column in columns), strict=True),
        key=lambda pair: (-pair[2] - pair[3], pair),
    )
    return [
        {
            "waiter": trace.thread_name(waiter),
            "waiter_index": waiter,
            "holder": trace.thread_name(holder) or None,
            "holder_index": holder or None,
            "gil_s": _seconds(gil),
            "lock_s": _seconds(lock),
        }
        for waiter, holder, gil, lock in pairs[:limit]
    ]


def _path(facts: Facts, limit: int) -> Table:
    """Return what lies on the critical path."""
    from gilscope.cli.tables import table, time  # noqa: PLC0415 - loaded on demand

    found = _path_as_dict(facts)
    names = ("holding_gil_s", "running_s", "waiting_gil_s", "waiting_lock_s", "blocked_s",
             "stopped_s")  # fmt: skip
    # A state in which no thread was has no column.
    columns = [name for name in names if any(one[name] for one in found["threads"])]
    rows = [
        [one["thread"], time(one["total_s"] * 1e9), *(time(one[name] * 1e9) for name in columns)]
        for one in found["threads"][:limit]
    ]
    title = (
        f"critical path: {found['pieces']:,} pieces, "
        f"{time(found['handover_s'] * 1e9)} of it hand-overs"
    )
    if found["inferred"]:
        title += f"; {found['inferred']:,} of these are inferred, not recorded"
    head = ["thread", "on the path", *(name[:-2].replace("_", " ") for name in columns)]
    return table(title, [word.replace("gil", "GIL") for word in head], rows)


def _path_as_dict(facts: Facts) -> dict[str, Any]:
    from gilscope.analysis.states.state import State  # noqa: PLC0415 - loaded on demand
    from gilscope.analysis.waits.critical_path import on_path  # noqa: PLC0415 - loaded on demand

    path, trace = facts.path, facts.trace
    names = {
        "holding_gil_s": State.HOLDING_GIL,
        "running_s": State.RUNNING,
        "waiting_gil_s": State.WAITING_GIL,
        "waiting_lock_s": State.WAITING_LOCK,
        "blocked_s": State.BLOCKED,
        "stopped_s": State.STOPPED_WORLD,
    }
    covered = int((path.end - path.start).sum())
    return {
        "pieces": len(path),
        "inferred": path.inferred,
        "handover_s": _seconds(max(trace.duration_ns - covered, 0)),
        "threads": [
            {
                "thread": trace.thread_name(one.thread),
                "index": one.thread,
                "total_s": _seconds(one.total_ns),
                **{name: _seconds(one.states[state]) for name, state in names.items()},
            }
            for one in on_path(path, facts.lanes)
        ],
    }


def _as_dict(
    facts: Facts, rows: dict[str, list[Row]], wanted: Iterable[str], options: argparse.Namespace
) -> dict[str, Any]:
    limit = options.limit
    result: dict[str, Any] = {
        "trace": str(facts.trace.path),
        "duration_s": _seconds(facts.trace.duration_ns),
        **{by: [_row(row) for row in found[:limit]] for by, found in rows.items()},
    }
    if "blame" in wanted:
        result["blame"] = _pairs(facts)
    if "path" in wanted:
        result["path"] = _path_as_dict(facts)
    if "concurrent" in wanted:
        result["concurrent"] = concurrency.as_dict(facts, limit)
    return result


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "detail": row.detail,
        "count": row.count,
        "total_s": _seconds(row.total_ns),
        "p50_s": _seconds(row.p50_ns),
        "p99_s": _seconds(row.p99_ns),
        "max_s": _seconds(row.max_ns),
        "caused_s": None if row.caused_ns is None else _seconds(row.caused_ns),
        "file": row.file or None,
        "line": row.line or None,
    }


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 9)


_MORE: dict[str, Callable[[Facts, int], Table]] = {
    "blame": _blame,
    "path": _path,
    "concurrent": concurrency.as_table,
}
