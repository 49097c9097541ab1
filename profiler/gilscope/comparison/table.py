"""A comparison as a table of plain text, for terminals, logs and notebooks without a display."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from gilscope.comparison.races import races_text
from gilscope.config import BUILDS
from gilscope.results.activity import ACTIVITIES
from gilscope.results.difference_rows import CAPTION, difference_rows
from gilscope.results.lock_groups import grouped
from gilscope.results.orders import orders_lines
from gilscope.results.outcome import outcome
from gilscope.results.ratios import factor_text, range_text, ratio_text
from gilscope.text import count_text, seconds_text, size_text, time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gilscope.results.activity import GroupActivity
    from gilscope.results.lock_groups import LockGroup
    from gilscope.results.matching import Differences
    from gilscope.results.model import ComparisonData, Forecast, Run
    from gilscope.results.scaling import Scaling
    from gilscope.results.totals import Totals

LOCKS_SHOWN = 5
GAP = "   "


def summary_text(comparison: ComparisonData) -> str:
    """Return the outcome of a comparison in words, its table, and what to look at first."""
    runs = comparison.runs
    parts = [comparison.title, "", *outcome(comparison).lines, "", *grid(_rows(runs)), ""]
    parts += _others(comparison)
    parts += _prediction(comparison.forecast)
    parts += _scaling(comparison.scaling)
    parts += _activity(comparison.activity)
    parts += _differences(comparison.differences)
    for run in runs:
        parts += _contended(run)
    if comparison.watched:
        parts += ["", *races_text(comparison.watched)]
    if comparison.ordered:
        parts += ["", *orders_lines(comparison.ordered)]
    parts += [f"note: {notice}" for notice in comparison.notices]
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


def _others(comparison: ComparisonData) -> list[str]:
    """Return what the builds other than ``gil`` and ``ft`` cost or bring."""
    found = ((run.build, comparison.speedup_of(run.build)) for run in comparison.runs)
    return [
        f"{OTHERS[build]}: {ratio_text(speedup)}"
        for build, speedup in found
        if build in OTHERS and speedup
    ]


OTHERS = {
    "ft-gil": "by the free-threaded build alone",
    "subinterpreters": "by subinterpreters, a GIL each",
    "processes": "by processes",
}


def _prediction(forecast: Forecast | None) -> list[str]:
    """Return the prediction from the GIL build's trace, and its error."""
    if forecast is None:
        return []
    found, with_build = forecast.prediction, forecast.with_build
    low, high = found.interval
    text = f"predicted from the GIL build's trace: {range_text(found.speedup, low, high)}"
    text += _error(forecast.error(found.speedup))
    if with_build:
        within = forecast.with_build_range
        words = range_text(with_build, *within) if within else factor_text(with_build)
        text += f"; including the cost of the build itself: {words}"
        text += _error(forecast.error(with_build))
    return [text]


def _error(error: float | None) -> str:
    return "" if error is None else f", {abs(error):.0%} too {'high' if error > 0 else 'low'}"


def _activity(groups: Sequence[GroupActivity]) -> list[str]:
    """Return what all threads together spent their time on, a column a build, if there are two."""
    builds = list(dict.fromkeys(build for group in groups for build in group.ns))
    if len(builds) < 2:  # noqa: PLR2004 - there is nothing to compare
        return []
    lines = [["", *(BUILDS[build] for build in builds)]]
    for name, words in ACTIVITIES.items():
        sums = [sum(group.ns.get(build, {}).get(name, 0) for group in groups) for build in builds]
        if any(sums):
            lines.append([words, *map(time_text, sums)])
    return ["", "time of all threads together, by activity:", *grid(lines)]


def _differences(differences: Differences) -> list[str]:
    """Return what the waits for the GIL turned into, if there were any."""
    rows = difference_rows(differences)
    return ["", CAPTION[0].lower() + CAPTION[1:] + ":", *grid(rows)] if rows else []


def _scaling(curves: Sequence[Scaling]) -> list[str]:
    """Return the table of the scaling curves: a row a number of threads, a column a build."""
    if not curves:
        return []
    head = ["threads", *(BUILDS[curve.build] for curve in curves)]
    numbers = sorted({point.threads for curve in curves for point in curve.points})
    rows = [[str(number), *(_point(curve, number) for curve in curves)] for number in numbers]
    laws = [[name, *(show(curve) for curve in curves)] for name, show in LAWS.items()]
    return ["", "wall time by number of threads, against one thread:", *grid([head, *rows, *laws])]


def _point(curve: Scaling, threads: int) -> str:
    for point in curve.points:
        if point.threads == threads:
            factor = f"{point.speedup.factor:.2f}x" if point.speedup else "-"
            return f"{_wall(point.wall_s)}, {factor}"
    return "-"


def _amdahl(curve: Scaling) -> str:
    law = curve.amdahl
    return f"{law.contention:.0%} (error {law.error:.0%})" if law else "-"


def _usl(curve: Scaling) -> str:
    law = curve.usl
    if not law:
        return "-"
    return f"{law.contention:.1%}, {law.coherence:.2%} (error {law.error:.0%})"


def _best(curve: Scaling) -> str:
    law = curve.usl
    if not law:
        return "-"
    return f"{law.best_threads:.0f}" if law.best_threads else "no limit"


LAWS: dict[str, Callable[[Scaling], str]] = {
    "Amdahl: serial": _amdahl,
    "USL: contention, coherence": _usl,
    "USL: best number of threads": _best,
}
"""What the table shows of the laws that were fitted to a curve."""


def _rows(runs: Sequence[Run]) -> list[list[str]]:
    """Return a row a quantity, a column a run, headed by the builds."""
    head = ["", *(BUILDS[run.build] for run in runs)]
    # Always a new dict: additions to one table do not appear in the next one.
    shown = QUANTITIES | (SERIALISING if any(run.executor for run in runs) else {})
    return [head, *([name, *map(show, runs)] for name, show in shown.items())]


def _of(show: Callable[[Totals], str]) -> Callable[[Run], str]:
    """Show a dash for a run that left no trace."""
    return lambda run: show(run.totals) if run.totals else "-"


def _dropped(run: Run) -> str:
    return _count(run.trace.dropped_events) if run.trace else "-"


def _wall(values: Sequence[float]) -> str:
    """Return the median, and half the spread when there are several."""
    if not values:
        return "-"
    text = seconds_text(median(values))
    return text if len(values) == 1 else f"{text} ± {seconds_text((max(values) - min(values)) / 2)}"


def _gil_state(run: Run) -> str:
    states = {True: "on", False: "off", None: "?"}
    before, after = states[run.gil_enabled_before], states[run.gil_enabled_after]
    state = before if before == after else f"{before}, then {after}"
    return state if run.valid else f"{state}: INVALID"


def _status(run: Run) -> str:
    return str(run.error or "ok").splitlines()[0][:60]


def _count(value: int) -> str:
    return f"{value:,}"


QUANTITIES: dict[str, Callable[[Run], str]] = {
    "Python": lambda run: run.python,
    "GIL": _gil_state,
    "program": _status,
    "wall time": lambda run: _wall(run.wall_s),
    "wall time, recorded": lambda run: _wall(run.probed_wall_s),
    "threads": _of(lambda totals: _count(len(totals.threads))),
    "GIL acquires": _of(lambda totals: _count(totals.gil.acquires)),
    "forced GIL releases": _of(lambda totals: _count(totals.gil.forced_releases)),
    "GIL held": _of(lambda totals: time_text(totals.gil.hold_ns)),
    "waiting for the GIL": _of(lambda totals: time_text(totals.gil.wait_ns)),
    "waiting for locks": _of(
        lambda totals: time_text(sum(thread.lock_wait_ns for thread in totals.threads))
    ),
    "events dropped": _dropped,
}
"""What the table shows of each run, from top to bottom."""


def _sent(show: Callable[[dict[str, Any]], str]) -> Callable[[Run], str]:
    """Show a dash for a run that sent nothing to workers."""
    return lambda run: show(run.executor) if run.executor else "-"


SERIALISING: dict[str, Callable[[Run], str]] = {
    "processes started, a GIL each": lambda run: str(len(run.processes) or "-"),
    "tasks sent to workers": _sent(lambda sent: f"{_count(sent['tasks'])} to {sent['workers']}"),
    "pickled": _sent(lambda sent: size_text(sent["sent_bytes"] + sent["returned_bytes"])),
    "shared, not copied": _sent(lambda sent: size_text(sent["shared_bytes"])),
    "pickling and unpickling": _sent(
        lambda sent: time_text(sent["pickle_ns"] + sent["unpickle_ns"])
    ),
}
"""What the table also shows where the workers are not threads."""


def _waits(group: LockGroup) -> str:
    """Return how often threads waited for a lock, and how often they only spun for it."""
    counts = {"wait": group.waits, "spin": group.spins}
    return ", ".join(count_text(number, name) for name, number in counts.items() if number)


def _lock_name(group: LockGroup) -> str:
    many = f" ({_count(group.locks)} of that name)" if group.locks > 1 else ""
    return f"{group.name}{many}"


def _contended(run: Run) -> list[str]:
    """Return the most contended locks of a run, if there are any."""
    locks = grouped(run.totals.locks) if run.totals else []
    if not locks:
        return []
    rows = [
        [f"  {_lock_name(lock)}", _waits(lock), time_text(lock.wait_ns + lock.spin_ns)]
        for lock in locks[:LOCKS_SHOWN]
    ]
    more = len(locks) - LOCKS_SHOWN
    tail = [f"  and {more} more"] if more > 0 else []
    return ["", f"contended locks, {BUILDS[run.build]}:", *grid(rows), *tail]
