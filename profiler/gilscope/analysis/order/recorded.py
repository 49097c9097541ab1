"""What a watch recorded, as data: the lock-order graph of one run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, NamedTuple

from gilscope.demangling import demangle

LOCKS = (
    "lock", "rlock", "mutex", "rwlock", "gil", "import", "loader", "guard", "once", "section",
    "named",
)  # fmt: skip
"""Kinds that are locks; the others are waited for, and other threads bring them about.

``named`` is any lock of a trace.
"""

CELL = "<cell "
"""Beginning of the name of what is in no file, but in a cell of a notebook."""

BEGINNINGS = ("Thread._bootstrap", "Thread.run")


@dataclass(frozen=True)
class Frame:
    """A place in a stack.

    Attributes:
        file: Path of the source file, or of the object with the native code.
        function: Qualified name; empty if unknown.
        line: From 1 on; 0 unknown.
        offset: Of native code: the address in its file.
        native: Whether it is native code.
        column: In the line, in bytes; -1 unknown.
        first_line: Of its function; 0 unknown.
        instruction: In the function's code, in units of 2 bytes; -1 unknown.
    """

    file: str
    function: str
    line: int = 0
    offset: int = 0
    native: bool = False
    column: int = -1
    first_line: int = 0
    instruction: int = -1

    def __str__(self) -> str:
        """Return it as the JSON object of reports."""
        if self.native and not self.line:
            name = self.function or f"{self.offset:#x}"
            return f"{name} ({PurePath(self.file).name})"
        return f"{self.file}:{self.line} in {self.function}"


class Point(NamedTuple):
    """A stretch of a thread's life in which it learns nothing of others, nor they of it."""

    thread: int
    clock: int
    known: int


@dataclass(frozen=True)
class Lock:
    """A lock, or something else that is waited for.

    Attributes:
        id: Of this one; never used again.
        kind: One of `LOCKS`, or ``condition``, ``event`` and so on.
        site: Where it was made, the innermost frame first; else where it was first used.
        address: In memory, of which ids are made.
        capacity: Of a queue or a semaphore.
        renewed: Whether it is an event that was cleared, or a lock that its holder gave back.
        guard: Of a condition: the id of its lock; 0 none.
        name: Of a module.
    """

    id: int
    kind: str
    site: tuple[Frame, ...]
    address: int
    capacity: int = 0
    renewed: bool = False
    guard: int = 0
    name: str = ""


@dataclass(frozen=True)
class Edge:
    """A thread held one lock and asked for another one.

    Attributes:
        held: Id of the lock it held.
        asked: Id of the lock it asked for.
        thread: Serial number of the thread.
        stack: Where it asked, the innermost frame first.
        held_at: Where it had taken the lock that it held; None unknown.
        places: What tells where it took both from other places.
        points: When, as far as order goes.
        gates: What it held besides: id → whether it shared it with others.
        held_shared: Whether it shared the lock that it held.
        asked_shared: Whether it asked to share.
        gil_is_gate: Whether it held the GIL from before it took the first one.
        mode: ``blocking``, ``timed`` or ``try``.
        count: How often.
        owed: Whether `held` is nothing that it held, but what others wait for and it had still to
            bring about.
    """

    held: int
    asked: int
    thread: int
    stack: tuple[Frame, ...]
    held_at: Frame | None
    places: tuple[int, int]
    points: tuple[Point, ...]
    gates: dict[int, bool] = field(default_factory=dict)
    held_shared: bool = False
    asked_shared: bool = False
    gil_is_gate: bool = False
    mode: str = "blocking"
    count: int = 1
    owed: bool = False


@dataclass(frozen=True)
class Passed:
    """A lock that a thread had to pass, and when.

    Attributes:
        times: Number of the pass among all of the thread, the point, the gates as in `Edge`.
    """

    lock: int
    shared: bool
    stack: tuple[Frame, ...]
    times: tuple[tuple[int, Point, dict[int, bool]], ...]


@dataclass(frozen=True)
class Times:
    """How often a thread waited for something or brought it about, and when.

    Attributes:
        count: How often.
        last: When it was the last time, as a number like those of `Passed.times`.
        numbers: The same of the first times.
    """

    count: int
    last: int
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Thread:
    """A thread of the run.

    Attributes:
        late_requests: How often native code of a native thread asked for the GIL when all exit
            handlers had run.
        late_stack: Where it did so first.
    """

    serial: int
    name: str
    passed: tuple[Passed, ...]
    provided: dict[int, Times]
    waits: dict[int, Times]
    late_requests: int
    late_stack: tuple[Frame, ...]


@dataclass(frozen=True)
class Fork:
    """A fork of the process.

    Attributes:
        thread: Serial number of the thread that forked.
        point: When, as far as order goes.
        stack: Where.
        end: Locks with this id or a later one were made afterwards.
        held: Ids of the locks that the thread had for itself.
        asked: Addresses of locks that the child inherited and asked for, and where.
    """

    thread: int
    point: Point
    stack: tuple[Frame, ...]
    end: int
    held: frozenset[int]
    asked: tuple[tuple[int, Frame], ...]


class Recorded:
    """The graph of one run.

    Attributes:
        has_gil: Whether one thread at a time ran Python.
        locks: By id.
        threads: By serial number.
        edges: All of all threads.
        forks: Forks of the process, in their order.
        left_out: How many edges and locks there was no room for.
        missing: What could not be watched, and why.
        own: Beginning of the names of our own files in the run.
        outside: Beginnings of the names of all files that are not the program's.
    """

    def __init__(self, raw: dict[str, Any]) -> None:
        """Decode the result of `gilscope.target.order.watch`."""
        self.has_gil: bool = raw["has_gil"]
        self.missing: list[str] = raw["missing"]
        self.own: str = raw["own"]
        self.outside: tuple[str, ...] = tuple(raw["outside"])
        self._known: list[list[int]] = raw["known"]
        self._frames = [_frame(place) for place in raw["places"]]
        self._stacks = [tuple(self._frames[place] for place in stack) for stack in raw["stacks"]]
        locks = {int(id_): lock for id_, lock in raw["locks"].items()}  # JSON has no other keys
        self.locks = {id_: self._lock(id_, *lock) for id_, lock in locks.items()}
        self.threads = {one["serial"]: self._thread(one) for one in raw["threads"]}
        self.edges = [
            self._edge(edge, one["serial"]) for one in raw["threads"] for edge in one["edges"]
        ]
        self.forks = [self._fork(one) for one in raw.get("forks", ())]
        self.left_out = sum(one["left_out"] for one in raw["threads"])

    def is_program(self, frame: Frame) -> bool:
        """Whether a frame is of the program's own Python code."""
        return not frame.native and not frame.file.startswith(self.outside) and has_source(frame)

    def thread_name(self, serial: int) -> str:
        """Return a thread's name, or what it is called without one."""
        thread = self.threads.get(serial)
        return (thread.name if thread else "") or f"native thread {serial}"

    def is_before(self, first: Point, second: Point) -> bool:
        """Whether all of one stretch is over before the other one begins, in every run."""
        if first.thread == second.thread:
            return True
        clocks = self._known[second.known]
        return first.thread < len(clocks) and clocks[first.thread] >= first.clock

    def can_meet(self, first: Edge, second: Edge) -> bool:
        """Whether two edges of different threads can be at the same time."""
        return any(
            not self.is_before(one, other) and not self.is_before(other, one)
            for one in first.points
            for other in second.points
        )

    def stack(self, number: int) -> tuple[Frame, ...]:
        """Return a stack without our own frames, and without those by which threads begin."""
        # The interpreter's own frame between a class and its __init__ is in no file.
        frames = [
            one
            for one in self._stacks[number]
            if not one.file.startswith(self.own) and one.file != one.function
        ]
        while len(frames) > 1 and _begins_thread(frames[-1]):
            frames.pop()
        return tuple(frames)

    def _lock(self, id_: int, kind: str, site: int, *more: Any) -> Lock:
        lock = Lock(id_, kind, self.stack(site), *more)
        symbol, found, path = lock.name.partition(" (")
        return replace(lock, name=demangle(symbol) + found + path)

    def _edge(self, raw: dict[str, Any], thread: int) -> Edge:
        at = self._frames[raw["held_at"]] if raw["held_at"] else None
        if at is not None and at.file.startswith(self.own):
            at = None  # where our own code saw it, such as the lock of an import
        return Edge(
            raw["held"], raw["asked"], thread, self.stack(raw["stack"]), at,
            (raw["held_at"], raw["asked_at"]), tuple(Point(*one) for one in raw["points"]),
            {id_: bool(shared) for id_, shared in raw["gates"]}, raw["held_shared"],
            raw["asked_shared"], raw["gil_is_gate"], raw["mode"], raw["count"],
        )  # fmt: skip

    def _fork(self, raw: dict[str, Any]) -> Fork:
        asked = tuple(
            (address, Frame(file, function, line)) for address, file, function, line in raw["asked"]
        )
        return Fork(
            raw["thread"], Point(*raw["point"]), self.stack(raw["stack"]), raw["end"],
            frozenset(raw["held"]), asked,
        )  # fmt: skip

    def _thread(self, raw: dict[str, Any]) -> Thread:
        passed = tuple(
            Passed(
                one["lock"], one["shared"], self.stack(one["stack"]),
                tuple(
                    (number, Point(*point), {id_: bool(shared) for id_, shared in gates})
                    for number, point, gates in one["times"]
                ),
            )
            for one in raw["passed"]
        )  # fmt: skip
        provided, waits = (
            {id_: Times(count, last, tuple(numbers)) for id_, count, last, numbers in raw[name]}
            for name in ("provided", "waits")
        )
        return Thread(
            raw["serial"], raw["name"], passed, provided, waits, raw["late_requests"],
            self.stack(raw["late_stack"]),
        )  # fmt: skip


def has_source(frame: Frame) -> bool:
    """Whether Python code is in a file or in a cell, and was not made as text by other code."""
    return not frame.file.startswith("<") or frame.file.startswith(CELL)


def _begins_thread(frame: Frame) -> bool:
    return frame.function.startswith(BEGINNINGS) and frame.file.endswith("threading.py")


def _frame(place: dict[str, Any]) -> Frame:
    return Frame(
        place["file"], demangle(place["function"]), place.get("line", 0), place.get("offset", 0),
        place["native"], place.get("column", -1), place.get("first_line", 0),
        place.get("instruction", -1),
    )  # fmt: skip
