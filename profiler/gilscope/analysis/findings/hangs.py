"""Hangs that were explained while the program ran."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.analysis.findings.model import Finding, Jump
from gilscope.severity import Severity
from gilscope.trace.model.hangs import LONG_WAIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.trace.model import Trace
    from gilscope.trace.model.hangs import Hang, HungThread

MOST_THREADS = 8
MOST_FRAMES = 4
_INTERPRETER = ("python", "libpython", "libc.", "libc-", "libstdc++", "ld-linux")


def hangs(facts: Facts) -> Iterator[Finding]:
    """Report each hang, or long wait, that the watcher explained while it lasted."""
    trace = facts.trace
    for hang in trace.hangs:
        stuck = [thread for thread in hang.threads if thread.stuck]
        long = hang.kind == LONG_WAIT
        told = hang.threads if long else stuck  # who is waited for goes on
        yield Finding(
            name=hang.kind,
            title=hang.headline,
            severity=Severity.MEDIUM if long else Severity.HIGH,
            evidence=tuple(line for thread in told[:MOST_THREADS] for line in _lines(thread)),
            advice=hang.advice,
            intervals=_intervals(trace, hang, stuck, "waits" if long else "cannot go on"),
            cost_ns=max(trace.duration_ns - hang.at_ns, 0),
            suspected=hang.suspected,
        )


def _lines(thread: HungThread) -> list[str]:
    """Return one line of what the thread waits for, and its innermost frames of each kind."""
    native = [
        f"{name or 'unknown'} ({Path(path).name})"
        for path, _, name in thread.native
        if not Path(path).name.startswith(_INTERPRETER)
    ]
    python = [f"{Path(file).name}:{line} in {name}" for file, line, name in thread.python]
    frames = [*native[:MOST_FRAMES], *python[:MOST_FRAMES]]
    return [thread.doing, *(f"    from {frame}" for frame in frames)]


def _intervals(trace: Trace, hang: Hang, stuck: list[HungThread], note: str) -> tuple[Jump, ...]:
    if hang.pid != trace.pid:
        return ()
    index = {thread.tid: thread.index for thread in trace.threads}
    begin, end = min(hang.at_ns, trace.duration_ns), trace.duration_ns
    return tuple(
        Jump(index[thread.tid], begin, end, note) for thread in stuck if thread.tid in index
    )
