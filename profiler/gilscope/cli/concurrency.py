"""The table ``concurrent`` of ``gilscope top``: what ran at the same time, or would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from gilscope.analysis.facts import Facts

TEXTS = 2  # columns of text, with which the table begins
TITLES = {
    True: "callables that would run at the same time without the GIL",
    False: "callables that ran at the same time in several threads",
    None: "callables that ran at the same time in several threads, or would without the GIL",
}


def as_table(found: dict[str, Any], limit: int) -> Table:
    """Return the first ``limit`` pairs of what `as_dict` returned for people."""
    from gilscope.cli.tables import table, time  # noqa: PLC0415 - loaded on demand

    pairs = found["pairs"]
    rows = [
        [
            first["name"],
            "itself" if first == second else second["name"],
            f"{pair['count']:,}",
            time(pair["total_s"] * 1e9),
            time(pair["longest_s"] * 1e9),
            _example(pair["longest"]),
        ]
        for pair in pairs[:limit]
        for first, second in [pair["callables"]]
    ]
    title = TITLES[found["gil"]]
    title += f" ({limit} of {len(pairs)})" if len(pairs) > limit else ""
    head = ["callable", "beside", "times", "total", "longest", "for example"]
    return table(title, head, rows, TEXTS)


def _example(longest: dict[str, Any]) -> str:
    from gilscope.cli.tables import time  # noqa: PLC0415 - loaded on demand

    where = f"{' and '.join(longest['threads'])} at {time(longest['start_s'] * 1e9)}"
    return f"{where} in {longest['trace']}" if "trace" in longest else where


def as_dict(facts: Facts) -> dict[str, Any]:
    """Return the pairs for JSON, times in seconds."""
    from gilscope.analysis.concurrency import concurrency  # noqa: PLC0415 - on demand

    found = concurrency(facts)
    return {
        "gil": found.gil,
        "pairs": [
            {
                "callables": [
                    {
                        "name": one.name,
                        "called_by": one.function,
                        "file": one.callable.file or None,
                        "line": one.callable.line or None,
                    }
                    for one in (pair.first, pair.second)
                ],
                "count": pair.count,
                "total_s": _seconds(pair.total_ns),
                "longest_s": _seconds(pair.longest_ns),
                "longest": {
                    "start_s": _seconds(pair.start_ns),
                    "threads": [facts.trace.thread_name(index) for index in pair.threads],
                },
            }
            for pair in found.pairs
        ],
    }


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 9)
