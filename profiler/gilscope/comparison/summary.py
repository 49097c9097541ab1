"""The JSON objects of docs/summary.md: numbers of one trace, of one run, of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.comparison.details import WITHOUT_TRACE as WITHOUT_DETAILS
from gilscope.comparison.details import details, seconds
from gilscope.results.matching import PARTS
from gilscope.results.orders import orders_summary
from gilscope.results.outcome import outcome
from gilscope.results.races import races_summary
from gilscope.results.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilscope.analysis.waits.contention import GilTotals, LockTotals, ThreadTotals
    from gilscope.results.activity import GroupActivity
    from gilscope.results.conditions import Conditions
    from gilscope.results.matching import Difference
    from gilscope.results.model import ComparisonData, Forecast, Run
    from gilscope.results.scaling import Law, Scaling
    from gilscope.results.statistics import Speedup
    from gilscope.trace.model import Thread, Trace
    from gilscope.trace.writing.merge import Process

SCHEMA = 2
"""Counts up when a name of the summary changes its meaning or goes; new names do not count."""


def comparison_summary(comparison: ComparisonData) -> dict[str, Any]:
    """Return ``comparison`` as the object that ``summary.json`` holds."""
    return {
        "schema": SCHEMA,
        "gilscope": gilscope.__version__,
        "title": comparison.title,
        "command": list(comparison.command),
        "outcome": _outcome(comparison),
        **_speedup(comparison, "ft"),
        "notices": list(comparison.notices),
        "findings": _findings(comparison),
        "races": races_summary(comparison.watched) if comparison.watched else None,
        "lock_order": orders_summary(comparison.ordered) if comparison.ordered else None,
        "prediction": _prediction(comparison.forecast),
        "activity": [_activity(group) for group in comparison.activity],
        "differences": {
            table: [_difference(PARTS[table], row) for row in rows]
            for table, rows in comparison.differences.items()
        },
        "machine": _machine(comparison.conditions),
        "scaling": [_scaling(curve) for curve in comparison.scaling],
        "runs": [
            {**run_summary(run), **_speedup(comparison, run.build)} for run in comparison.runs
        ],
    }


def _speedup(comparison: ComparisonData, build: str) -> dict[str, Any]:
    found = comparison.speedup_of(build)
    return {
        "speedup": found.factor if found else None,
        "speedup_interval": _interval(found),
        "speedup_shown": found.shown if found else None,
    }


def _outcome(comparison: ComparisonData) -> dict[str, Any]:
    """Return the outcome: the words, and the factor that they have, which is never below 1."""
    found, speedup = outcome(comparison), comparison.speedup_of("ft")
    factor, interval = None, None
    if speedup and speedup.interval and found.kind in {"faster", "slower"}:
        low, high = speedup.interval
        slower = found.kind == "slower"
        factor = 1 / speedup.factor if slower else speedup.factor
        interval = [1 / high, 1 / low] if slower else [low, high]
    return {
        "kind": found.kind,
        "factor": factor,
        "factor_interval": interval,
        "lines": list(found.lines),
        "causes": [
            {"build": cause.build, "label": cause.label, "finding": cause.finding.name}
            for cause in found.causes
        ],
    }


def _interval(speedup: Speedup | None) -> list[float] | None:
    return list(speedup.interval) if speedup and speedup.interval else None


def _prediction(forecast: Forecast | None) -> dict[str, Any] | None:
    if forecast is None:
        return None
    found, within = forecast.prediction, forecast.with_build_range
    return {
        "processors": found.processors,
        "speedup": found.speedup,
        "speedup_range": list(found.interval),
        "build_factor": forecast.build.factor if forecast.build else None,
        "speedup_with_build": forecast.with_build,
        "speedup_with_build_range": list(within) if within else None,
        "measured": forecast.measured,
        "error": forecast.error(found.speedup),
        "error_with_build": forecast.error(forecast.with_build),
        "gil_wait_s": seconds(found.gil_wait_ns),
        "unexplained_s": seconds(found.unexplained_ns),
        "inferred_joins": found.inferred_joins,
    }


def _activity(group: GroupActivity) -> dict[str, Any]:
    builds = {
        build: {"count": count, **_times(group.ns[build])} for build, count in group.counts.items()
    }
    return {"threads": group.threads, "builds": builds}


def _difference(names: Sequence[str], row: Difference) -> dict[str, Any]:
    return {
        **dict(zip(names, row.place, strict=True)),
        "builds": {build: _times(ns) for build, ns in row.ns.items()},
        "became": None if row.became is None else _times(row.became),
    }


def _times(ns: Mapping[str, float]) -> dict[str, float]:
    """Return times by activity in seconds, with names that say so."""
    return {f"{name}_s": seconds(value) for name, value in ns.items()}


def _findings(comparison: ComparisonData) -> list[dict[str, Any]]:
    traces = dict(comparison.traces())
    return [
        {"build": build, **one.as_dict(traces.get(build))} for build, one in comparison.findings
    ]


def _machine(conditions: Conditions | None) -> dict[str, Any] | None:
    if conditions is None:
        return None
    return {
        "cpus": list(conditions.cpus),
        "load_before": list(conditions.load_before),
        "load_after": list(conditions.load_after),
        "others_cpus": conditions.others,
    }


def _scaling(scaling: Scaling) -> dict[str, Any]:
    points = [
        {
            "threads": point.threads,
            "wall_s": list(point.wall_s),
            "speedup": point.speedup.factor if point.speedup else None,
            "speedup_interval": _interval(point.speedup),
        }
        for point in scaling.points
    ]
    laws = {"amdahl": scaling.amdahl, "usl": scaling.usl}
    return {
        "build": scaling.build,
        "points": points,
        **{name: _law(law) if law else None for name, law in laws.items()},
    }


def _law(law: Law) -> dict[str, Any]:
    return {
        "contention": law.contention,
        "coherence": law.coherence,
        "best_threads": law.best_threads,
        "fit_error": law.error,
    }


def run_summary(run: Run) -> dict[str, Any]:
    """Return one entry of ``runs``; what a trace would tell is null or empty without one."""
    trace, totals = run.trace, run.totals
    numbers = _trace(trace, totals) if trace and totals else dict(WITHOUT_TRACE)
    return {
        "build": run.build,
        "python": run.python,
        "executable": run.executable,
        "free_threaded": run.free_threaded,
        "gil_enabled_before": run.gil_enabled_before,
        "gil_enabled_after": run.gil_enabled_after,
        "gil_enabled_by": run.gil_enabled_by,
        "valid": run.valid,
        "invalid": run.invalid,
        "status": run.status,
        "error": run.error,
        "wall_s": list(run.wall_s),
        "probed_wall_s": list(run.probed_wall_s),
        "trace": str(run.trace_path) if run.trace_path else None,
        "processes": [_process(one) for one in run.processes],
        "executor": _executor(run.executor),
        **numbers,
    }


def _process(process: Process) -> dict[str, Any]:
    return {
        "name": process.name,
        "pid": process.pid,
        "start_s": seconds(process.start_ns),
        "duration_s": seconds(process.duration_ns),
    }


def _executor(facts: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what went to workers that are no threads, with times in seconds."""
    if not facts:
        return None
    times = {f"{name}_s": seconds(facts[f"{name}_ns"]) for name in ("pickle", "unpickle")}
    return {name: value for name, value in facts.items() if not name.endswith("_ns")} | times


WITHOUT_TRACE: dict[str, Any] = {
    "duration_s": None,
    "ended_early": None,
    "gil": None,
    "threads": [],
    "locks": [],
    "blocked": [],
    "dropped_events": 0,
    "not_measured": [],
    "problems": [],
    **WITHOUT_DETAILS,
}


def trace_summary(trace: Trace) -> dict[str, Any]:
    """Return the part of a run's summary that comes from its trace."""
    return _trace(trace, Totals.of(trace))


def _trace(trace: Trace, totals: Totals) -> dict[str, Any]:
    return {
        "duration_s": seconds(trace.duration_ns),
        "ended_early": trace.ended_early,
        "gil": _gil(totals.gil),
        "threads": [_thread(trace, one) for one in totals.threads],
        "locks": [_lock(one) for one in totals.locks],
        "blocked": [_lock(one) for one in totals.blocked],
        "dropped_events": trace.dropped_events,
        "not_measured": [
            {"class": name, "reason": reason} for name, reason in trace.not_measured.items()
        ],
        "problems": list(trace.problems),
        **details(trace),
    }


def _gil(totals: GilTotals) -> dict[str, Any]:
    return {
        "acquires": int(totals.acquires),
        "releases": int(totals.releases),
        "forced_releases": int(totals.forced_releases),
        "held_at_start": int(totals.held_at_start),
        "held_at_end": int(totals.held_at_end),
        "wait_s": seconds(totals.wait_ns),
        "hold_s": seconds(totals.hold_ns),
    }


def _thread(trace: Trace, totals: ThreadTotals) -> dict[str, Any]:
    return {
        "name": totals.thread.name,
        "tid": totals.thread.tid,
        "native": totals.thread.native,
        "gil_wait_s": seconds(totals.gil_wait_ns),
        "gil_hold_s": seconds(totals.gil_hold_ns),
        "lock_wait_s": seconds(totals.lock_wait_ns),
        "blocked_s": seconds(totals.blocked_ns),
        "stopped_s": seconds(totals.stopped_ns),
        "cpu": _cpu(trace, totals.thread),
        "dropped_events": totals.thread.dropped,
    }


def _cpu(trace: Trace, thread: Thread) -> dict[str, float] | None:
    share = trace.cpu_times.share(thread.index, thread.start_ns, thread.end_ns)
    if share is None:
        return None
    return {
        "measured_s": seconds(share.measured_ns),
        "on_cpu_s": seconds(share.on_cpu_ns),
        "runnable_s": seconds(share.runnable_ns),
        "asleep_s": seconds(share.asleep_ns),
    }


def _lock(totals: LockTotals) -> dict[str, Any]:
    lock = totals.lock
    return {
        "name": lock.name,
        "kind": lock.kind,
        "type": lock.type,
        "address": hex(lock.object_address or lock.address),
        "lock_address": hex(lock.address),
        "waits": int(totals.waits),
        "wait_s": seconds(totals.wait_ns),
        "max_wait_s": seconds(totals.max_ns),
        "spins": int(totals.spins),
        "spin_s": seconds(totals.spin_ns),
        "native": lock.native,
        "named_by": lock.source or None,
        "created": lock.created or None,
        "member": lock.member or None,
    }
