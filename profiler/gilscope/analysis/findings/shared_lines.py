"""Memory that threads on several processors write to all the time: none waits, and all are slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.analysis.findings.model import LEAST_NS, Finding, Jump, of_run, share
from gilscope.analysis.waits.holder_places import INTERPRETER, base_name
from gilscope.severity import Severity
from gilscope.text import short_function, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.trace.model import Trace
    from gilscope.trace.model.shared_memory import SharedMemory

PART = 0.05
"""Of the processor time of the threads that share it. It is what an atomic instruction takes in a
short loop if no other processor has written; where one has, it takes ten times as long."""

LEAST_SAMPLES = 20
"""Fewer samples give no reliable share."""

LEAST_THREADS = 2

COUNTED = (
    "A free-threaded build counts references to an object with atomic instructions, unless the "
    "thread that made it uses it. Give each thread an object of its own, look up once outside the "
    "loop what it has (`locked = lock.locked`), or use it less often."
)
WRITTEN = (
    "Let each thread write to memory of its own, and merge at the end. Where they write to "
    "different variables that lie side by side, move these 64 bytes or more apart (alignas(64))."
)


def shared_lines(facts: Facts) -> Iterator[Finding]:
    """Find cache lines that several processors need for themselves all the time."""
    for one in facts.trace.shared_memory:
        met = sum(sharer.samples for sharer in one.sharers)
        every = sum(sharer.all_samples for sharer in one.sharers)
        cost = met * one.period_ns
        enough = met >= LEAST_SAMPLES and len(one.sharers) >= LEAST_THREADS
        if enough and met >= PART * every and cost >= LEAST_NS:
            yield _finding(facts.trace, one, cost, met / every)


def _finding(trace: Trace, one: SharedMemory, cost: int, part: float) -> Finding:
    count = len(one.sharers)
    return Finding(
        name="refcount-hot-object" if one.counted else "shared-cache-line",
        title=f"{count} threads {_what(one)}: {share(part, 1)} of their processor time",
        severity=Severity.MEDIUM,
        evidence=(
            (
                "no thread waited: they were on processors, and met with instructions that access "
                f"it for {of_run(trace, cost)}"
            ),
            *_threads(trace, one),
            f"samples taken each {time_text(one.period_ns)} of processor time",
        ),
        advice=COUNTED if one.counted else WRITTEN,
        intervals=_intervals(trace, one),
        cost_ns=cost,
    )


def _what(one: SharedMemory) -> str:
    """Return the part of the title that names the operation and its object."""
    if one.kind:
        name = f" `{one.name}`" if one.name else ""
        kind = one.kind.removeprefix("_thread.")
        doing = "count references to" if one.counted else "write to"
        return f"{doing} one shared object, the {kind}{name}"
    function, path = one.functions[0] if one.functions else ("", "")
    where = f" in {short_function(function)}" if function else ""
    module = base_name(path)
    module = "" if INTERPRETER.match(module) else f" ({module})"
    name = f" `{one.name}`" if one.name else ""
    return f"write to one shared cache line{name}{where}{module}"


def _threads(trace: Trace, one: SharedMemory) -> Iterator[str]:
    names = {thread.tid: trace.thread_name(thread.index) for thread in trace.threads}
    for sharer in one.sharers[:4]:
        at = f", at {sharer.line}" if sharer.line else ""
        part = share(sharer.samples, max(sharer.all_samples, 1))
        yield f"thread {names.get(sharer.tid) or sharer.tid}: {part} of its time{at}"


def _intervals(trace: Trace, one: SharedMemory) -> tuple[Jump, ...]:
    index = {thread.tid: thread.index for thread in trace.threads}
    end = min(one.end_ns, trace.duration_ns)
    return tuple(
        Jump(index[sharer.tid], min(one.start_ns, end), end, "shares memory with others")
        for sharer in one.sharers
        if sharer.tid in index
    )
