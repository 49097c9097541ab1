"""Native code that breaks Python's rules, mostly without visible harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.analysis.findings.model import Finding
from gilscope.analysis.stacks import NO_NATIVE, is_glue, native_function, short
from gilscope.severity import Severity
from gilscope.text import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.analysis.facts import Facts
    from gilscope.trace.model import Frame, Hazard, Trace

FRAMES_SHOWN = 6
PLACES_SHOWN = 5
PARKS_THREADS = (3, 14)
"""From this version on, a thread that asks too late waits for ever; older versions end it."""

PARKED = "lets such a thread wait for ever, and so whoever joins it"
ENDED = (
    "ends such a thread inside the call: in C++ that aborts the process where a function is "
    "noexcept, as destructors are"
)
COUNTS = (
    "other threads change the same counts and objects meanwhile: objects are freed too early or "
    "never"
)
MIXED = (
    "the function sees the modules of the one interpreter and the thread state of the other, and "
    "their GILs may differ"
)


def ending_interpreter(facts: Facts) -> Iterator[Finding]:
    """Find native threads that asked for the GIL while the interpreter was ending."""
    trace = facts.trace
    found = _of_kind(trace, "ending interpreter")
    if not found:
        return
    parks = tuple(map(int, trace.python.split(".")[:2])) >= PARKS_THREADS
    yield Finding(
        name="native-thread-at-exit",
        title="a native thread asks for the GIL while the interpreter is ending: "
        + _function(found[0]),
        severity=Severity.HIGH,
        evidence=(
            (
                f"{count_text(len(found), 'thread')} called {found[0].function}, or waited in it, "
                "after Python had begun to end"
            ),
            *_first(trace, found[0]),
            f"Python {trace.python} {PARKED if parks else ENDED}",
        ),
        advice="Stop and join the thread before the interpreter ends: register its stop with "
        "atexit when it is started, and release the GIL while joining. A destructor of a static "
        "object comes too late.",
    )


def not_attached(facts: Facts) -> Iterator[Finding]:
    """Find objects used, and reference counts changed, in threads that were not attached."""
    trace = facts.trace
    found = _of_kind(trace, "not attached")
    if not found:
        return
    times = sum(one.count for one in found)
    yield Finding(
        name="not-attached",
        title=f"{_function(found[0])} uses Python objects in a thread that is not attached "
        f"({found[0].function})",
        severity=Severity.HIGH,
        evidence=(
            f"{count_text(times, 'time')}, by {count_text(len(found), 'call')} in native code",
            *_first(trace, found[0]),
            *(
                f"also {_function(one)}: {one.function}, {count_text(one.count, 'time')}"
                for one in found[1:PLACES_SHOWN]
            ),
            COUNTS,
        ),
        advice="Attach the thread first: PyGILState_Ensure, py::gil_scoped_acquire, "
        "nb::gil_scoped_acquire. Let go of Python objects (py::object members, captured callbacks) "
        "while attached, also where a thread or a queue is destroyed.",
    )


def other_interpreter(facts: Facts) -> Iterator[Finding]:
    """Find Python functions that were called in another interpreter than their own."""
    trace = facts.trace
    found = _of_kind(trace, "other interpreter")
    if not found:
        return
    times = sum(one.count for one in found)
    yield Finding(
        name="other-interpreter",
        title=f"{_function(found[0])} calls Python functions in an interpreter that they were not "
        "made in",
        severity=Severity.HIGH,
        evidence=(
            f"{count_text(times, 'time')}, by {count_text(len(found), 'call')} in native code",
            *_first(trace, found[0]),
            MIXED,
        ),
        advice="PyGILState_Ensure always enters the main interpreter. Keep the interpreter with "
        "the callback (PyInterpreterState_Get() where it is registered), and enter by "
        "PyThreadState_New(interpreter) and PyEval_AcquireThread; from 3.15 on by "
        "PyThreadState_Ensure.",
    )


def _of_kind(trace: Trace, kind: str) -> list[Hazard]:
    """Return the hazards of one kind, the most frequent first."""
    found = [hazard for hazard in trace.hazards if hazard.kind == kind]
    return sorted(found, key=lambda hazard: -hazard.count)


def _function(hazard: Hazard) -> str:
    place = native_function(hazard.stack)
    return short(place.name) if place.known else NO_NATIVE


def _first(trace: Trace, hazard: Hazard) -> list[str]:
    """Return the lines that say which thread did it first, and where."""
    names = {thread.tid: thread.name for thread in trace.threads if thread.tid}
    shown = names.get(hazard.tid, f"tid {hazard.tid}")
    natives = [frame for frame in hazard.stack if frame.native]
    own = [frame for frame in natives if not is_glue(frame.name)] or natives
    where = " < ".join(_line(own[:FRAMES_SHOWN]))
    return [f"first by {shown}, in {where}"] if where else [f"first by {shown}"]


def _line(frames: Sequence[Frame]) -> list[str]:
    return [
        short(frame.name)
        + (f" ({frame.file.rpartition('/')[2]}:{frame.line})" if frame.file else "")
        for frame in frames
    ]
