"""Numbers of a trace by dotted names, their units as suffixes: what two traces are compared by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.callbacks.totals import thread_state_totals
from gilscope.analysis.findings import NAMES, Facts, find
from gilscope.analysis.grouping import summarize
from gilscope.analysis.states.state import State
from gilscope.analysis.waits.contention import gil_totals
from gilscope.analysis.waits.convoys import convoys
from gilscope.analysis.waits.critical_path import on_path

if TYPE_CHECKING:
    from gilscope.analysis.findings import Finding
    from gilscope.analysis.grouping import Summary
    from gilscope.trace.model import Trace

type Metrics = dict[str, float]

SECOND = 1e9


def metrics(trace: Trace | Facts, findings: list[Finding] | None = None) -> Metrics:
    """Return all numbers of a trace by name; docs/command-line.md defines them.

    Args:
        trace: the trace, or what is known of it already.
        findings: those of it, if they are at hand.
    """
    facts = trace if isinstance(trace, Facts) else Facts(trace)
    found = find(facts) if findings is None else findings
    trace = facts.trace
    return {
        "run.duration_s": trace.duration_ns / SECOND,
        "run.threads": float(len(trace.threads)),
        "run.dropped_events": float(trace.dropped_events),
        **_gil(facts),
        **_figures("lock", facts.lock_wait_figures),
        **_rest(facts),
        **_path(facts),
        "findings.count": float(len(found)),
        **{f"findings.{name}": float(sum(one.name == name for one in found)) for name in NAMES},
    }


def _gil(facts: Facts) -> Metrics:
    totals, switching = gil_totals(facts.trace), facts.switching
    return {
        **_figures("gil", facts.gil_waits),
        "gil.hold_s": totals.hold_ns / SECOND,
        "gil.acquires": float(totals.acquires),
        "gil.forced_releases": float(totals.forced_releases),
        "gil.switches": float(switching.switches),
        "gil.handover_p50_s": switching.handover_ns / SECOND,
        "gil.idle_wanted_s": switching.lost_ns / SECOND,
    }


def _figures(name: str, figures: Summary) -> Metrics:
    return {
        f"{name}.waits": float(figures.count[0]),
        f"{name}.wait_s": figures.total[0] / SECOND,
        f"{name}.wait_p50_s": figures.p50[0] / SECOND,
        f"{name}.wait_p99_s": figures.p99[0] / SECOND,
        f"{name}.wait_max_s": figures.max[0] / SECOND,
    }


def _rest(facts: Facts) -> Metrics:
    trace = facts.trace
    calls, states = trace.callbacks, thread_state_totals(trace)
    figures = summarize(np.zeros(len(calls), np.int64), calls.duration, 1)
    convoy = convoys(trace, facts.states)
    return {
        "callbacks.count": float(figures.count[0]),
        "callbacks.total_s": float(facts.outer_callbacks.duration.sum()) / SECOND,
        "callbacks.p50_s": figures.p50[0] / SECOND,
        "callbacks.p99_s": figures.p99[0] / SECOND,
        "callbacks.enter_s": float(calls.enter_ns.sum()) / SECOND,
        "thread_states.created": float(states.created),
        "thread_states.cost_s": (states.created_ns + states.deleted_ns) / SECOND,
        "pauses.count": float(len(facts.pauses)),
        "pauses.total_s": sum(pause.duration_ns for pause in facts.pauses) / SECOND,
        "convoys.count": float(len(convoy)),
        "convoys.wait_s": float(trace.intervals.duration[convoy.gil_waits].sum()) / SECOND,
    }


def _path(facts: Facts) -> Metrics:
    sums = [0] * len(State)
    for one in on_path(facts.path, facts.lanes):
        sums = [total + ns for total, ns in zip(sums, one.states, strict=True)]
    covered = int((facts.path.end - facts.path.start).sum())
    return {
        "path.holding_gil_s": sums[State.HOLDING_GIL] / SECOND,
        "path.running_s": sums[State.RUNNING] / SECOND,
        "path.waiting_s": (sums[State.WAITING_GIL] + sums[State.WAITING_LOCK]) / SECOND,
        "path.blocked_s": (sums[State.BLOCKED] + sums[State.STOPPED_WORLD]) / SECOND,
        "path.handover_s": max(facts.trace.duration_ns - covered, 0) / SECOND,
    }
