"""The table ``concurrent`` of ``gilscope top``: what ran at the same time, or would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from gilscope.analysis.facts import Facts

TEXTS = 2  # columns of text, with which the table begins


def as_table(facts: Facts, limit: int) -> Table:
    """Return the first ``limit`` pairs for people."""
    from gilscope.analysis.concurrency import concurrency  # noqa: PLC0415 - on demand
    from gilscope.cli.tables import table, time  # noqa: PLC0415 - loaded on demand

    found = concurrency(facts)
    rows = [
        [
            pair.first.name,
            "itself" if pair.second is pair.first else pair.second.name,
            f"{pair.count:,}",
            time(pair.total_ns),
            time(pair.longest_ns),
            f"{' and '.join(map(facts.trace.thread_name, pair.threads))} at {time(pair.start_ns)}",
        ]
        for pair in found.pairs[:limit]
    ]
    title = (
        "callables that would run at the same time without the GIL"
        if found.gil
        else "callables that ran at the same time in several threads"
    )
    title += f" ({limit} of {len(found.pairs)})" if len(found.pairs) > limit else ""
    head = ["callable", "beside", "times", "total", "longest", "for example"]
    return table(title, head, rows, TEXTS)


def as_dict(facts: Facts, limit: int) -> dict[str, Any]:
    """Return the first ``limit`` pairs for JSON, times in seconds."""
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
            for pair in found.pairs[:limit]
        ],
    }


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 9)
