"""Native pools that start a thread for each processor, in each of several Python threads."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gilscope.analysis.findings.model import Finding, Jump, matters
from gilscope.severity import Severity
from gilscope.text import count_text, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.analysis.facts import Facts
    from gilscope.trace.model import Thread

LEAST_CALLERS = 2
"""Python threads that use a pool: one alone with a pool of the machine's size is what it is for."""

CROWDED = 1.5
"""Threads that want a processor, divided by the number of processors."""

VARIABLES = {
    "gomp": "OMP_NUM_THREADS",
    "omp": "OMP_NUM_THREADS",
    "iomp": "OMP_NUM_THREADS",
    "OpenMP": "OMP_NUM_THREADS",
    "openblas": "OPENBLAS_NUM_THREADS",
    "mkl": "MKL_NUM_THREADS",
    "blis": "BLIS_NUM_THREADS",
}


def oversubscription(facts: Facts) -> Iterator[Finding]:
    """Report more computing threads than processors, where pools multiply."""
    trace = facts.trace
    by_tid = {thread.tid: thread for thread in trace.threads}
    met = [(by_tid[one.tid], one) for one in trace.pools.threads if one.tid in by_tid]
    workers = [thread for thread, _ in met if thread.native]
    callers = [thread for thread, _ in met if not thread.native]
    if not workers or len(callers) < LEAST_CALLERS or not trace.processors:
        return
    begin = min(thread.start_ns for thread in workers)
    end = max(thread.end_ns for thread in workers)
    ran, waited = _wanted(facts, begin, end)
    wanted = (ran + waited) / max(end - begin, 1)
    processors = trace.processors
    cost = int(waited * (1 - processors / wanted)) if wanted > processors else 0
    if wanted < CROWDED * processors or not matters(trace, cost):
        return
    libraries = Counter(one.library for _, one in met)
    library = next((name for name, _ in libraries.most_common() if name != "OpenMP"), "OpenMP")
    who = f"{count_text(len(callers), 'Python thread')} and {count_text(len(workers), 'thread')}"
    yield Finding(
        name="processor-oversubscription",
        title=f"{who} of {library} compete for {count_text(processors, 'processor')}",
        severity=Severity.MEDIUM,
        evidence=(
            f"{wanted:.1f} threads wanted a processor at a time, on average",
            (
                f"all threads together ran for {time_text(ran)} and waited {time_text(waited)} "
                "for a processor"
            ),
            f"each of these Python threads has {library} work with threads of its own",
        ),
        advice=f"Set threads per worker to 1: {_variable(library)}=1 in the environment, before "
        "the library is loaded, or threadpoolctl.threadpool_limits(1). Or use one Python thread, "
        "and let the library use all processors.",
        intervals=_intervals(workers),
        cost_ns=cost,
    )


def _wanted(facts: Facts, begin: int, end: int) -> tuple[int, int]:
    """Return how long all threads ran, and how long they waited for a processor, ns."""
    shares = (
        facts.trace.cpu_times.share(thread.index, begin, end) for thread in facts.trace.threads
    )
    known = [share for share in shares if share is not None]
    return sum(one.on_cpu_ns for one in known), sum(one.runnable_ns for one in known)


def _variable(library: str) -> str:
    return next((name for part, name in VARIABLES.items() if part in library), "OMP_NUM_THREADS")


def _intervals(workers: Sequence[Thread]) -> tuple[Jump, ...]:
    return tuple(
        Jump(thread.index, thread.start_ns, thread.end_ns, "works for a native pool")
        for thread in workers[:10]
    )
