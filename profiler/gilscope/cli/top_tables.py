"""What ``gilscope top`` prints: of one trace, or of several as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.analysis.facts import Facts
from gilscope.analysis.rows import Groups, Row, one_group
from gilscope.analysis.states.state import State
from gilscope.analysis.top import TABLES, top, top_of_all
from gilscope.analysis.waits.critical_path import on_path
from gilscope.cli import concurrency
from gilscope.cli.beside import each
from gilscope.cli.tables import working

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

STATES = {
    "holding_gil_s": State.HOLDING_GIL,
    "running_s": State.RUNNING,
    "waiting_gil_s": State.WAITING_GIL,
    "waiting_lock_s": State.WAITING_LOCK,
    "blocked_s": State.BLOCKED,
    "stopped_s": State.STOPPED_WORLD,
}


@dataclass(frozen=True, slots=True)
class TopTables:
    """All tables that are wanted.

    Attributes:
        about: what they are of: ``trace`` or ``traces``, and ``duration_s``.
        rows: the rows by table.
        more: the other tables, as JSON has them (docs/command-line.md), times in seconds.
    """

    about: dict[str, Any]
    rows: dict[str, list[Row]]
    more: dict[str, Any]


def of_one(path: Path, wanted: Iterable[str], sort: str) -> TopTables:
    """Return the tables of one trace.

    Raises:
        TraceError: It cannot be read.
    """
    facts = Facts(gilscope.open(path))
    rows = {by: top(facts, by, sort) for by in wanted if by in TABLES}
    more = {name: _MORE[name](facts) for name in wanted if name in _MORE}
    about = {"trace": str(path), "duration_s": _seconds(facts.trace.duration_ns)}
    return TopTables(about, rows, more)


@dataclass(frozen=True, slots=True)
class Part:
    """What one of several traces adds; it holds on to nothing of the trace.

    Attributes:
        duration_ns: Length of the trace.
        groups: By table.
        more: As `TopTables.more`.
    """

    duration_ns: int
    groups: dict[str, Groups]
    more: dict[str, Any]


def part_of(path: Path, wanted: Sequence[str]) -> Part:
    """Return what a trace adds.

    Raises:
        TraceError: It cannot be read.
    """
    facts = Facts(gilscope.open(path))
    groups = {by: one_group(TABLES[by](facts)) for by in wanted if by in TABLES}
    more = {name: _MORE[name](facts) for name in wanted if name in _MORE}
    for pair in more.get("concurrent", {"pairs": ()})["pairs"]:
        pair["longest"]["trace"] = str(path)
    return Part(facts.trace.duration_ns, groups, more)


def of_all(paths: Sequence[Path], wanted: Sequence[str], sort: str) -> TopTables:
    """Return the tables of several traces as one; small ones are read in several processes.

    Raises:
        TraceError: One cannot be read.
    """
    with working(f"reading {len(paths)} traces"):
        parts = list(each(part_of, paths, wanted))
    duration = sum(part.duration_ns for part in parts)
    about = {"traces": [str(path) for path in paths], "duration_s": _seconds(duration)}
    rows = {
        by: top_of_all(([part.groups[by]] for part in parts), sort) for by in wanted if by in TABLES
    }
    more = {
        name: together(part.more[name] for part in parts)
        for name, together in _TOGETHER.items()
        if name in wanted
    }
    return TopTables(about, rows, {name: more[name] for name in wanted if name in more})


def _pairs(facts: Facts) -> list[dict[str, Any]]:
    """Return which thread waited for which, the worst pairs first."""
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
        for waiter, holder, gil, lock in pairs
    ]


def _pairs_of_all(parts: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    sums: dict[tuple[str, str | None], list[int]] = {}
    for pair in (pair for pairs in parts for pair in pairs):
        found = sums.setdefault((pair["waiter"], pair["holder"]), [0, 0])
        found[0] += _ns(pair["gil_s"])
        found[1] += _ns(pair["lock_s"])
    order = sorted(sums.items(), key=lambda one: (-sum(one[1]), one[0][0], one[0][1] or ""))
    return [
        {"waiter": waiter, "holder": holder, "gil_s": _seconds(gil), "lock_s": _seconds(lock)}
        for (waiter, holder), (gil, lock) in order
    ]


def _path(facts: Facts) -> dict[str, Any]:
    """Return the critical path."""
    path, trace = facts.path, facts.trace
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
                **{name: _seconds(one.states[state]) for name, state in STATES.items()},
            }
            for one in on_path(path, facts.lanes)
        ],
    }


def _path_of_all(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the critical paths of all traces, one after the other."""
    names = ("total_s", *STATES)
    whole = {"pieces": 0, "inferred": 0}
    handover = 0
    sums: dict[str, list[int]] = {}
    for part in parts:
        for name in whole:
            whole[name] += part[name]
        handover += _ns(part["handover_s"])
        for one in part["threads"]:
            found = sums.setdefault(one["thread"], [0] * len(names))
            for place, name in enumerate(names):
                found[place] += _ns(one[name])
    threads = [
        {"thread": thread, **{n: _seconds(ns) for n, ns in zip(names, times, strict=True)}}
        for thread, times in sorted(sums.items(), key=lambda one: (-one[1][0], one[0]))
    ]
    return {**whole, "handover_s": _seconds(handover), "threads": threads}


def _concurrent_of_all(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    parts = list(parts)
    # A trace in which nothing overlapped says nothing of the others.
    kinds = {part["gil"] for part in parts if part["pairs"]} or {part["gil"] for part in parts}
    sums: dict[tuple[tuple[Any, ...], ...], dict[str, Any]] = {}
    for part in parts:
        for pair in part["pairs"]:
            callables = sorted(pair["callables"], key=lambda one: (one["name"], str(one)))
            pair = {**pair, "callables": callables}  # noqa: PLW2901 - the same in one order
            found = sums.setdefault(tuple(tuple(one.values()) for one in callables), pair)
            if found is pair:
                continue
            found["count"] += pair["count"]
            found["total_s"] = _seconds(_ns(found["total_s"]) + _ns(pair["total_s"]))
            if pair["longest_s"] > found["longest_s"]:
                found |= {"longest_s": pair["longest_s"], "longest": pair["longest"]}
    names = {key: [name for name, *_ in key] for key in sums}
    order = sorted(sums, key=lambda key: (-sums[key]["total_s"], names[key]))
    return {"gil": kinds.pop() if len(kinds) == 1 else None, "pairs": [sums[key] for key in order]}


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 9)


def _ns(seconds: float) -> int:
    """Return what `_seconds` was given, which has fewer digits than a float."""
    return round(seconds * 1e9)


_MORE: dict[str, Callable[[Facts], Any]] = {
    "blame": _pairs,
    "path": _path,
    "concurrent": concurrency.as_dict,
}
_TOGETHER: dict[str, Callable[[Iterable[Any]], Any]] = {
    "blame": _pairs_of_all,
    "path": _path_of_all,
    "concurrent": _concurrent_of_all,
}
