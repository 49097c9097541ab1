"""Parts of a trace's summary that most traces have little of: callbacks, pauses, convoys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilscope.analysis.callbacks.totals import callback_totals, thread_state_totals
from gilscope.analysis.span_totals import span_totals
from gilscope.analysis.waits.convoys import convoy_totals
from gilscope.analysis.waits.pauses import pauses

if TYPE_CHECKING:
    from gilscope.trace.model import Trace

WITHOUT_TRACE: dict[str, Any] = {
    "callbacks": [],
    "spans": [],
    "thread_states": None,
    "gil_switches": [],
    "pauses": None,
    "convoys": [],
    "overwritten_events": 0,
    "probe_cost_s": None,
    "stack_cost_s": None,
}


def seconds(nanoseconds: float) -> float:
    """Convert to seconds; what is below a nanosecond is no more than noise of the conversion."""
    return round(float(nanoseconds) / 1e9, 9)


def details(trace: Trace) -> dict[str, Any]:
    """Return these parts as docs/summary.md describes them."""
    states = thread_state_totals(trace)
    return {
        "callbacks": _callbacks(trace),
        "spans": [
            {
                "name": totals.name,
                "count": totals.count,
                "total_s": seconds(totals.total_ns),
                "median_s": seconds(totals.p50_ns),
                "max_s": seconds(totals.max_ns),
                "bytes": totals.bytes,
            }
            for totals in span_totals(trace)
        ],
        "thread_states": {
            "created": states.created,
            "created_s": seconds(states.created_ns),
            "deleted": states.deleted,
            "deleted_s": seconds(states.deleted_ns),
        },
        "gil_switches": _gil_switches(trace),
        "pauses": _pauses(trace),
        "convoys": [
            {
                "lock": totals.lock.name,
                "address": hex(totals.lock.object_address or totals.lock.address),
                "count": totals.count,
                "gil_wait_s": seconds(totals.gil_wait_ns),
            }
            for totals in convoy_totals(trace)
        ],
        "overwritten_events": trace.overwritten_events,
        # Tens of nanoseconds: more digits than other times have.
        "probe_cost_s": _cost(trace.probe_cost_ns),
        "stack_cost_s": _cost(trace.stack_cost_ns),
    }


def _cost(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else round(nanoseconds / 1e9, 12)


def _callbacks(trace: Trace) -> list[dict[str, Any]]:
    return [
        {
            "entry": totals.entry.function,
            "entry_module": totals.entry.module,
            "entry_file": totals.entry.site.file,
            "entry_line": totals.entry.site.line or None,
            "binding": totals.entry.binding,
            "callable": totals.callable.label or None,
            "callable_file": totals.callable.file,
            "callable_line": totals.callable.line or None,
            "count": totals.count,
            "open": totals.open,
            "total_s": seconds(totals.total_ns),
            "median_s": seconds(totals.median_ns),
            "max_s": seconds(totals.max_ns),
            "enter_s": seconds(totals.enter_ns),
            "enter_median_s": seconds(totals.enter_median_ns),
            "enter_max_s": seconds(totals.enter_max_ns),
            "lock_wait_s": seconds(totals.lock_wait_ns),
        }
        for totals in callback_totals(trace)
    ]


def _gil_switches(trace: Trace) -> list[dict[str, Any]]:
    switches = trace.gil_switches
    columns = (switches.start, switches.thread, switches.on, switches.permanent)
    rows = zip(*(column.tolist() for column in columns), switches.module, strict=True)
    return [
        {
            "at_s": seconds(start),
            "thread": trace.thread_name(thread),
            "on": on,
            "permanent": permanent,
            "module": module or None,
        }
        for start, thread, on, permanent, module in rows
    ]


def _pauses(trace: Trace) -> dict[str, Any]:
    found = pauses(trace)
    by_thread: dict[int, list[int]] = {}
    for pause in found:
        by_thread.setdefault(pause.requester, []).append(pause.duration_ns)
    return {
        "count": len(found),
        "total_s": seconds(sum(pause.duration_ns for pause in found)),
        "max_s": seconds(max((pause.duration_ns for pause in found), default=0)),
        "held_s": seconds(sum(pause.held_ns for pause in found)),
        "max_held_threads": max((pause.held for pause in found), default=0),
        "requesters": [
            {
                "thread": trace.thread_name(thread) or None,
                "count": len(times),
                "total_s": seconds(sum(times)),
            }
            for thread, times in sorted(by_thread.items(), key=lambda item: -sum(item[1]))
        ],
    }
