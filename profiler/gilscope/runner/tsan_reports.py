"""Reads the reports of ThreadSanitizer: races of native code, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING

from gilscope.race import Access, Place, Race

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEGIN = re.compile(r"WARNING: ThreadSanitizer: (.+?) \(pid=\d+\)")
ACCESS = re.compile(
    r"  (?:previous )?(?:atomic )?(?P<what>read|write)(?: of size \d+)? at 0x\w+ "
    r"by (?P<thread>main thread|thread \w+)[^:(]*(?:\(mutexes: (?P<locks>[^)]*)\))?:",
    re.IGNORECASE,
)
FRAME = re.compile(
    r"    #\d+ (?P<function>.+?) (?P<file>\S+?)(?::(?P<line>\d+))?(?::\d+)?"
    r"(?: \((?P<module>[^()]+)\+0x[0-9a-f]+\))?"
)
GLOBAL = re.compile(r"  Location is global '(.+)' of size")
HEAP = re.compile(r"  Location is heap block of size (\d+)")
STACK = re.compile(r"  Location is stack of (.+?)\.?$")
THREAD = re.compile(r"  Thread (T\d+) '([^']*)'")
RUNTIME = ("libtsan.so", "libclang_rt.tsan")
MOST_FRAMES = 24


@dataclass
class Frame:
    """A frame of a native stack, and the name of the shared object that it lies in."""

    place: Place
    module: str


@dataclass
class Report:
    """What ThreadSanitizer said of one race.

    Attributes:
        kind: Its words, as "data race".
        accesses: The later one first: what it is ("read"), the thread, its locks, its stack.
        variable: What it says of the memory.
    """

    kind: str
    accesses: list[tuple[str, str, tuple[str, ...], list[Frame]]] = field(default_factory=list)
    variable: str = ""

    def is_about(self, is_program: Callable[[str], bool]) -> bool:
        """Return whether a shared object of the program made one of the accesses.

        The innermost frame decides, the runtime's own functions (memcpy, malloc) apart.
        """
        return any(
            is_program(frame.module)
            for _, _, _, stack in self.accesses
            for frame in _own(stack)[:1]
        )


def reports(text: str) -> Iterator[Report]:
    """Yield what was reported, in order."""
    for part in text.split("=================="):
        found = BEGIN.search(part)
        if found:
            yield _report(found[1], part.splitlines())


def _report(kind: str, lines: list[str]) -> Report:
    report = Report(kind)
    names = {found[1]: found[2] for line in lines if (found := THREAD.match(line))}
    frames: list[Frame] | None = None
    allocated: list[Frame] = []
    for line in lines:
        if found := ACCESS.match(line):
            frames = []
            thread = found["thread"].removeprefix("thread ")
            locks = tuple(f"mutex {word.split()[-1]}" for word in _words(found["locks"]))
            what = found["what"].lower()
            report.accesses.append((what, names.get(thread, thread), locks, frames))
        elif found := GLOBAL.match(line):
            report.variable, frames = found[1], None
        elif found := HEAP.match(line):
            report.variable, frames = f"a block of {found[1]} bytes", allocated
        elif found := STACK.match(line):
            report.variable, frames = f"the stack of {found[1]}", None
        elif found := FRAME.fullmatch(line):
            if frames is not None and len(frames) < MOST_FRAMES:
                frames.append(_frame(found))
        elif line.startswith("  ") and line.strip():
            frames = None
    if own := _own(allocated):
        report.variable += f" allocated at {own[0].place}"
    return report


def _words(locks: str | None) -> list[str]:
    return locks.split(", ") if locks else []


def _frame(found: re.Match[str]) -> Frame:
    file = "" if found["file"] == "<null>" else found["file"]
    function = "native code" if found["function"] == "<null>" else found["function"]
    module = PurePath(found["module"] or "").name
    return Frame(Place(file or module, int(found["line"] or 0), function), module)


def _own(stack: list[Frame]) -> list[Frame]:
    """Leave out the innermost frames that are ThreadSanitizer's."""
    for place, frame in enumerate(stack):
        if not frame.module.startswith(RUNTIME):
            return stack[place:]
    return []


def race_of(report: Report) -> Race | None:
    """Return a report as a race; None if it is not about two accesses."""
    accesses = tuple(
        Access(
            thread,
            write=what == "write",
            what=what,
            stack=tuple(frame.place for frame in _own(stack)),
            locks=locks,
        )
        for what, thread, locks, stack in reversed(report.accesses)
        if _own(stack)
    )
    if len(accesses) != 2:  # noqa: PLR2004 - a race has two sides
        return None
    variable = report.variable or "unnamed memory"
    first, other = accesses
    return Race(
        "native-race",
        "certain",
        variable,
        accesses,
        1,
        f"ThreadSanitizer: {report.kind}. Nothing orders the {first.what} by {first.thread} and "
        f"the {other.what} by {other.thread}.",
        _advice(accesses),
    )


def _advice(accesses: tuple[Access, ...]) -> str:
    first, other = accesses
    if bool(first.locks) != bool(other.locks):
        held, bare = (first, other) if first.locks else (other, first)
        return (
            f"{held.thread} holds {', '.join(held.locks)}; {bare.thread} holds nothing at "
            f"{bare.place.file}:{bare.place.line}. Hold it there too."
        )
    return "Hold one mutex at both accesses, or make the variable std::atomic."
