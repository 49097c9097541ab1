"""The GIL kept by native code that other threads wait for: what it is, and who waits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.in_spans import held_in
from gilscope.analysis.findings.late_hold import late_hold
from gilscope.analysis.findings.model import (
    Finding,
    had_back,
    jumps,
    limit,
    matters,
    of_run,
    share,
)
from gilscope.analysis.findings.victims import victims
from gilscope.analysis.stacks import STANDARD, program_line, short
from gilscope.analysis.states.state import State
from gilscope.analysis.waits.holder_places import CALLERS, base_name, native_frames
from gilscope.severity import Severity
from gilscope.text import count_text, time_text
from gilscope.trace.format import HoldFlag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.analysis.facts import Facts
    from gilscope.analysis.waits.holder_places import HolderPlace
    from gilscope.trace.arrays import Bools
    from gilscope.trace.model import Frame

EXTENSION = re.compile(r"\.(cpython-\w+|abi3)[\w.-]*\.so$|\.so$")
"""The end of an extension module's file name."""

DESTRUCTOR = re.compile(r"dealloc|~|finali[sz]e|destroy|destruct|_free|_del(ete)?\b", re.IGNORECASE)
"""Parts of the names of functions that destroy objects."""

RELEASE = (
    "Release the GIL around the long operation (Py_BEGIN_ALLOW_THREADS, "
    "pybind11::gil_scoped_release, nogil)."
)
DESTROY = (
    "Release the GIL in the destructor (Py_BEGIN_ALLOW_THREADS), or drop the last reference where "
    "nobody waits."
)
CTYPES = "ctypes.PyDLL keeps the GIL during calls: load the library with ctypes.CDLL."
INTERPRETER = (
    "Much of Python's own native code keeps the GIL, such as sorted(), json, re and gc.collect(): "
    "pass it less at a time, or use another process. A free-threaded build has no GIL to keep."
)


def native_hold(facts: Facts) -> Iterator[Finding]:
    """Find native functions that keep the GIL while others wait for it."""
    flags = facts.trace.intervals.flags[facts.wanted_holds.rows]
    if not len(facts.trace.gil_samples) and not (flags & np.uint8(HoldFlag.KEPT)).any():
        yield from late_hold(facts)
        return
    pieces = facts.pieces
    caused = np.bincount(pieces.place, pieces.caused_ns * pieces.native, len(pieces.places)).astype(
        np.int64
    )
    for number in np.flatnonzero(caused).tolist():
        if matters(facts.trace, int(caused[number])):
            yield _finding(facts, pieces.places[number], pieces.place == number)


def _finding(facts: Facts, place: HolderPlace, mine: Bools) -> Finding:
    trace, pieces = facts.trace, facts.pieces
    rows, of_row = np.unique(pieces.holds[mine], return_inverse=True)
    lasted = np.bincount(of_row, (pieces.ends - pieces.starts)[mine]).astype(np.int64)
    cost = int(pieces.caused_ns[mine].sum())
    typical = time_text(int(np.sort(lasted)[len(lasted) // 2]))
    part = share(cost, int(facts.gil_waits.total[0]))
    frames = _typical_stack(facts, mine)
    waits = np.flatnonzero(facts.states == State.WAITING_GIL)
    gained = had_back(trace, waits[pieces.shared(trace, mine, waits) > 0], cost)
    return Finding(
        name="gil-held-in-native-code",
        title=f"{name_of(place)}{_called(frames)} keeps the GIL for {typical} at a time: "
        f"{part} of all waiting for the GIL",
        severity=Severity.MEDIUM,
        evidence=(
            (
                f"{count_text(len(rows), 'time')} while other threads waited for it, "
                f"{time_text(int(lasted.sum()))} in all, the longest {time_text(int(lasted.max()))}"
            ),
            _looks(facts, mine, frames),
            f"they waited for this {of_run(trace, cost)}",
            *limit(trace, cost, gained),
            *held_in(facts, mine),
            *victims(facts, mine),
        ),
        advice=_advice(place, frames),
        intervals=jumps(trace.intervals, rows, "holds the GIL"),
        cost_ns=gained,
    )


def name_of(place: HolderPlace) -> str:
    """Return a native function with its module, for people."""
    if place.interpreter:
        return f"native code of the interpreter ({place.function})"
    module = EXTENSION.sub("", place.module)
    return f"{place.function} ({module})" if module else place.function


def _called(frames: Sequence[Frame]) -> str:
    line = program_line(frames)
    return f", called at {line.name}," if line.known else ""


def _typical_stack(facts: Facts, mine: Bools) -> Sequence[Frame]:
    """Return the stack of the line of Python for which most was waited."""
    pieces = facts.pieces
    seen = mine & pieces.sampled if (mine & pieces.sampled).any() else mine
    used, places = np.unique(pieces.stack[seen], return_inverse=True)
    cost = np.bincount(places, pieces.caused_ns[seen])
    by_line: dict[str, int] = {}
    stacks: dict[str, Sequence[Frame]] = {}
    for stack, ns in zip(used.tolist(), cost.tolist(), strict=True):
        frames = facts.trace.stacks[stack]
        line = program_line(frames).name
        by_line[line] = by_line.get(line, 0) + int(ns)
        stacks.setdefault(line, frames)
    return stacks[max(by_line, key=lambda line: by_line[line])]


def _looks(facts: Facts, mine: Bools, frames: Sequence[Frame]) -> str:
    """Return the line that says how often samples met it, and what it was doing."""
    pieces = facts.pieces
    seen, asleep = int((mine & pieces.sampled).sum()), int(pieces.asleep[mine].sum())
    if not seen:
        return (
            "Python code releases it microseconds after it was asked to; this thread went on for "
            "half a millisecond of processor time or longer, and ended at that line"
        )
    names = list(dict.fromkeys(short(frame.name) for frame in native_frames(frames)))
    doing = f", asleep {count_text(asleep, 'time')}" if asleep else ", computing"
    return f"seen there {count_text(seen, 'time')}{doing}: {' < '.join(names[:4])}"


def _is_standard(place: HolderPlace, frames: Sequence[Frame]) -> bool:
    """Return whether it is a function of an extension of the standard library."""
    paths = {frame.module for frame in native_frames(frames)}
    return any(STANDARD.match(path) and base_name(path) == place.module for path in paths)


def _advice(place: HolderPlace, frames: Sequence[Frame]) -> str:
    if place.interpreter or _is_standard(place, frames):
        return INTERPRETER
    if any(CALLERS.match(base_name(frame.module)) for frame in native_frames(frames)):
        return f"{CTYPES} In a binding of your own: {RELEASE[0].lower()}{RELEASE[1:]}"
    return DESTROY if DESTRUCTOR.search(place.function) else RELEASE
