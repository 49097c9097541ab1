"""The summary as a table of plain text, for terminals, logs and notebooks without a display."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from gilscope.config import BUILDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOCKS_SHOWN = 5
GAP = "   "


def summary_text(summary: dict[str, Any]) -> str:
    """Return the table of a summary: one column a build, the verdict and what to look at first."""
    runs = summary["runs"]
    parts = [summary["title"], "", *grid(_rows(runs)), "", verdict(summary)]
    for run in runs:
        parts += _contended(run)
    parts += [f"note: {notice}" for notice in summary["notices"]]
    return "\n".join(line.rstrip() for line in parts)


def grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay rows of equal length out in columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def verdict(summary: dict[str, Any]) -> str:
    """Return the one line that a reader takes home."""
    speedup = summary["speedup"]
    if speedup is None:
        return "speed-up: not measured, it takes a complete run under both builds"
    factor = f"{speedup:.2f}x" if speedup >= 1 else f"{1 / speedup:.2f}x slower"
    return f"speed-up without the GIL: {factor} (median wall time, probe off)"


def _rows(runs: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return a row a quantity, a column a run, headed by the builds."""
    head = ["", *(BUILDS[run["build"]] for run in runs)]
    return [head, *([name, *map(show, runs)] for name, show in QUANTITIES.items())]


def _gil(name: str, unit: Callable[[Any], str]) -> Callable[[dict[str, Any]], str]:
    return _traced(lambda run: unit(run["gil"][name]))


def _traced(show: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
    """Show a dash for a run that left no trace."""
    return lambda run: show(run) if run["gil"] else "-"


def _threads(name: str) -> Callable[[dict[str, Any]], str]:
    def show(run: dict[str, Any]) -> str:
        return duration(sum(thread[name] for thread in run["threads"]))

    return _traced(show)


def duration(value: float) -> str:
    """Return seconds as text with three digits: ``1.24 s``, ``31.0 ms``, ``8.15 µs``, ``0``."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1:
            return f"{value * factor:#.3g}".rstrip(".") + f" {unit}"
    return "0" if not value else f"{value * 1e9:.0f} ns"


def _wall(values: Sequence[float]) -> str:
    """Return the median, and half the spread when there are several."""
    if not values:
        return "-"
    text = duration(median(values))
    return text if len(values) == 1 else f"{text} ± {duration((max(values) - min(values)) / 2)}"


def _gil_state(run: dict[str, Any]) -> str:
    states = {True: "on", False: "off", None: "?"}
    before, after = states[run["gil_enabled_before"]], states[run["gil_enabled_after"]]
    state = before if before == after else f"{before}, then {after}"
    return state if run["valid"] else f"{state}: INVALID"


def _status(run: dict[str, Any]) -> str:
    return str(run["error"] or "ok").splitlines()[0][:60]


def _count(value: int) -> str:
    return f"{value:,}"


QUANTITIES: dict[str, Callable[[dict[str, Any]], str]] = {
    "Python": lambda run: run["python"],
    "GIL": _gil_state,
    "program": _status,
    "wall time, probe off": lambda run: _wall(run["wall_s"]),
    "wall time, probe on": lambda run: _wall(run["probed_wall_s"]),
    "threads": _traced(lambda run: _count(len(run["threads"]))),
    "GIL acquires": _gil("acquires", _count),
    "forced GIL releases": _gil("forced_releases", _count),
    "GIL held": _gil("hold_s", duration),
    "waiting for the GIL": _gil("wait_s", duration),
    "waiting for locks": _threads("lock_wait_s"),
    "events dropped": _traced(lambda run: _count(run["dropped_events"])),
}
"""What the table shows of each run, from top to bottom."""


def _waits(count: int) -> str:
    return f"{_count(count)} wait" + ("" if count == 1 else "s")


def _contended(run: dict[str, Any]) -> list[str]:
    """Return the most contended locks of a run, if there are any."""
    locks = run["locks"]
    if not locks:
        return []
    rows = [
        [f"  {lock['name']}", _waits(lock["waits"]), duration(lock["wait_s"])]
        for lock in locks[:LOCKS_SHOWN]
    ]
    more = len(locks) - LOCKS_SHOWN
    tail = [f"  and {more} more"] if more > 0 else []
    return ["", f"contended locks, {BUILDS[run['build']]}:", *grid(rows), *tail]
