"""The summary as a table of plain text, for terminals, logs and notebooks without a display."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.comparison.activity import ACTIVITIES
from gilscope.config import BUILDS
from gilscope.view.data.differences import CAPTION, difference_rows
from gilscope.view.data.lock_groups import grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOCKS_SHOWN = 5
GAP = "   "


def summary_text(summary: dict[str, Any]) -> str:
    """Return the table of a summary: one column a build, the verdict and what to look at first."""
    runs = summary["runs"]
    parts = [summary["title"], "", *grid(_rows(runs)), "", verdict(summary), *_others(runs)]
    parts += prediction_text(summary["prediction"])
    parts += scaling_text(summary["scaling"])
    parts += activity_text(summary["activity"])
    parts += _differences(summary["differences"])
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
    if summary["speedup"] is None:
        if any(not run["valid"] for run in summary["runs"]):
            return "speed-up: none, a run does not stand for its build"
        return "speed-up: not measured, it takes a complete run under both builds"
    words = factor_text(summary["speedup"], summary["speedup_interval"])
    return f"speed-up without the GIL: {words} (median wall time, probe off)"


def factor_text(factor: float, interval: Sequence[float] | None) -> str:
    """Return a speed-up with its interval: ``1.25x slower, 95 % interval 1.11x to 1.34x slower``.

    Where the interval spans 1, that no difference was shown comes first.
    """
    slower = factor < 1
    if interval is None:
        return f"{1 / factor:.2f}x slower" if slower else f"{factor:.2f}x"
    low, high = interval
    if low <= 1 <= high:
        return f"no difference shown: {factor:.2f}x, 95 % interval {low:.2f}x to {high:.2f}x"
    if slower:
        low, high = 1 / high, 1 / low
        return f"{1 / factor:.2f}x slower, 95 % interval {low:.2f}x to {high:.2f}x slower"
    return f"{factor:.2f}x, 95 % interval {low:.2f}x to {high:.2f}x"


def _others(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Return what the builds other than ``gil`` and ``ft`` cost or bring."""
    return [
        f"{OTHERS[run['build']]}: {factor_text(run['speedup'], run['speedup_interval'])}"
        for run in runs
        if run["build"] in OTHERS and run["speedup"] is not None
    ]


OTHERS = {
    "ft-gil": "by the free-threaded build alone",
    "subinterpreters": "by subinterpreters, a GIL each",
    "processes": "by processes",
}


def prediction_text(prediction: dict[str, Any] | None) -> list[str]:
    """Return what the trace of the GIL build let one expect, and how wrong that was."""
    if prediction is None:
        return []
    low, high = prediction["speedup_range"]
    text = (
        f"predicted from the GIL build's trace: {prediction['speedup']:.2f}x "
        f"({low:.2f}x to {high:.2f}x)"
    )
    text += _error(prediction["error"])
    if prediction["speedup_with_build"]:
        text += f"; with what the build alone costs {prediction['speedup_with_build']:.2f}x"
        if within := prediction["speedup_with_build_range"]:
            text += f" ({within[0]:.2f}x to {within[1]:.2f}x)"
        text += _error(prediction["error_with_build"])
    return [text]


def _error(error: float | None) -> str:
    return "" if error is None else f", {abs(error):.0%} too {'high' if error > 0 else 'low'}"


def activity_text(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return what all threads together spent their time on, a column a build, if there are two."""
    builds = list(dict.fromkeys(build for row in rows for build in row["builds"]))
    if len(builds) < 2:  # noqa: PLR2004 - there is nothing to compare
        return []
    lines = [["", *(BUILDS[build] for build in builds)]]
    for name, words in ACTIVITIES.items():
        cells = (row["builds"].get(build, {}).get(name, 0.0) for build in builds for row in rows)
        values = np.array(list(cells)).reshape(len(builds), -1).sum(axis=1).tolist()
        if any(values):
            lines.append([words, *map(duration, values)])
    return ["", "what the threads spent their time on, all together:", *grid(lines)]


def _differences(differences: dict[str, Any]) -> list[str]:
    """Return what the waits for the GIL turned into, if there were any."""
    rows = difference_rows(differences)
    return ["", CAPTION[0].lower() + CAPTION[1:] + ":", *grid(rows)] if rows else []


def scaling_text(curves: Sequence[dict[str, Any]]) -> list[str]:
    """Return the table of the scaling curves: a row a number of threads, a column a build."""
    if not curves:
        return []
    head = ["threads", *(BUILDS[curve["build"]] for curve in curves)]
    numbers = sorted({point["threads"] for curve in curves for point in curve["points"]})
    rows = [[str(number), *(_point(curve, number) for curve in curves)] for number in numbers]
    laws = [[name, *(show(curve) for curve in curves)] for name, show in LAWS.items()]
    return ["", "wall time by number of threads, against one thread:", *grid([head, *rows, *laws])]


def _point(curve: dict[str, Any], threads: int) -> str:
    for point in curve["points"]:
        if point["threads"] == threads:
            factor = f"{point['speedup']:.2f}x" if point["speedup"] else "-"
            return f"{_wall(point['wall_s'])}, {factor}"
    return "-"


def _amdahl(curve: dict[str, Any]) -> str:
    law = curve["amdahl"]
    return f"{law['contention']:.0%} (error {law['fit_error']:.0%})" if law else "-"


def _usl(curve: dict[str, Any]) -> str:
    law = curve["usl"]
    if not law:
        return "-"
    shares = f"{law['contention']:.1%}, {law['coherence']:.2%}"
    return f"{shares} (error {law['fit_error']:.0%})"


def _best(curve: dict[str, Any]) -> str:
    law = curve["usl"]
    if not law:
        return "-"
    return f"{law['best_threads']:.0f}" if law["best_threads"] else "no limit"


LAWS: dict[str, Callable[[dict[str, Any]], str]] = {
    "Amdahl: serial": _amdahl,
    "USL: contention, coherence": _usl,
    "USL: best number of threads": _best,
}
"""What the table shows of the laws that were fitted to a curve."""


def _rows(runs: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return a row a quantity, a column a run, headed by the builds."""
    head = ["", *(BUILDS[run["build"]] for run in runs)]
    # A dict of its own in any case: what one table adds is not in the next one.
    shown = QUANTITIES | (SERIALISING if any(run.get("executor") for run in runs) else {})
    return [head, *([name, *map(show, runs)] for name, show in shown.items())]


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


def _sent(show: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
    """Show a dash for a run that sent nothing to workers."""
    return lambda run: show(run["executor"]) if run.get("executor") else "-"


def size_text(value: int) -> str:
    """Return bytes as text: ``812 B``, ``1.2 kB``, ``33.6 MB``."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= factor:
            return f"{value / factor:#.3g}".rstrip(".") + f" {unit}"
    return f"{value} B"


SERIALISING: dict[str, Callable[[dict[str, Any]], str]] = {
    "processes made, a GIL each": lambda run: str(len(run["processes"]) or "-"),
    "tasks sent to workers": _sent(lambda sent: f"{_count(sent['tasks'])} to {sent['workers']}"),
    "pickled": _sent(lambda sent: size_text(sent["sent_bytes"] + sent["returned_bytes"])),
    "shared, not copied": _sent(lambda sent: size_text(sent["shared_bytes"])),
    "pickling and unpickling": _sent(lambda sent: duration(sent["pickle_s"] + sent["unpickle_s"])),
}
"""What the table shows as well where the workers were no threads."""


def _waits(lock: dict[str, Any]) -> str:
    """Return how often threads waited for a lock, and how often they only spun for it."""
    counts = {"wait": lock["waits"], "spin": lock["spins"]}
    words = (f"{_count(n)} {name}{'' if n == 1 else 's'}" for name, n in counts.items() if n)
    return ", ".join(words)


def _lock_name(lock: dict[str, Any]) -> str:
    many = f" ({_count(lock['locks'])} of that name)" if lock["locks"] > 1 else ""
    return f"{lock['name']}{many}"


def _contended(run: dict[str, Any]) -> list[str]:
    """Return the most contended locks of a run, if there are any."""
    locks = grouped(run["locks"])
    if not locks:
        return []
    rows = [
        [f"  {_lock_name(lock)}", _waits(lock), duration(lock["wait_s"] + lock["spin_s"])]
        for lock in locks[:LOCKS_SHOWN]
    ]
    more = len(locks) - LOCKS_SHOWN
    tail = [f"  and {more} more"] if more > 0 else []
    return ["", f"contended locks, {BUILDS[run['build']]}:", *grid(rows), *tail]
