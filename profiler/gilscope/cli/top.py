"""``gilscope top``: the longest waits, by thread, lock, callable, line and native function.

Several traces are one thing: what has the same name in them is one row.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli import concurrency
from gilscope.cli.traces import traces_in
from gilscope.options import argument, whole_number
from gilscope.text import shortened

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.table import Table

    from gilscope.analysis.rows import Row
    from gilscope.cli.top_tables import TopTables

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
    option(
        "traces",
        type=Path,
        nargs="+",
        metavar="TRACE",
        help="a trace, or a directory: all traces in it and below it; several are taken together: "
        "what has the same name is one row",
    )
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
        TraceError: A trace cannot be read.
        UsageError: There is no trace in a directory.
    """
    with gilscope.reader_side():
        from gilscope.cli.tables import console, working  # noqa: PLC0415 - loaded on demand
        from gilscope.cli.top_tables import of_all, of_one  # noqa: PLC0415 - loaded on demand
    wanted = tuple(dict.fromkeys(options.by or (*TABLES, *MORE)))
    # A file that is named twice, or lies in a directory that is named, too, counts once.
    paths = list({path.resolve(): path for path in traces_in(options.traces)}.values())
    if len(paths) > 1:
        found = of_all(paths, wanted, options.sort)
    else:
        with working(f"reading {paths[0]}"):
            found = of_one(paths[0], wanted, options.sort)
    if options.json:
        print(json.dumps(_as_dict(found, options.limit), indent=2))
        return 0
    tables = [_table(by, rows, options.limit) for by, rows in found.rows.items() if rows]
    tables += [_MORE[name](value, options.limit) for name, value in found.more.items()]
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


def _blame(pairs: list[dict[str, Any]], limit: int) -> Table:
    """Return which thread waited for which: the worst pairs."""
    from gilscope.cli.tables import table, time  # noqa: PLC0415 - loaded on demand

    rows = [
        [pair["waiter"], pair["holder"] or "(none, or unknown)", time(pair["gil_s"] * 1e9),
         time(pair["lock_s"] * 1e9)]
        for pair in pairs[:limit]
    ]  # fmt: skip
    head = ["thread", "waited for", "for the GIL", "for locks"]
    return table("which thread waited for which", head, rows, TEXTS)


def _path(found: dict[str, Any], limit: int) -> Table:
    """Return what lies on the critical path."""
    from gilscope.cli.tables import table, time  # noqa: PLC0415 - loaded on demand

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


def _as_dict(found: TopTables, limit: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        **found.about,
        **{by: [_row(row) for row in rows[:limit]] for by, rows in found.rows.items()},
        **found.more,
    }
    if "concurrent" in result:
        pairs = result["concurrent"]["pairs"][:limit]
        result["concurrent"] = {**result["concurrent"], "pairs": pairs}
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


_MORE: dict[str, Callable[[Any, int], Table]] = {
    "blame": _blame,
    "path": _path,
    "concurrent": concurrency.as_table,
}
