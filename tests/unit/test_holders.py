"""Waiting for the GIL is charged to the function that held it, moment by moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gilscope.analysis.facts import Facts
from gilscope.analysis.findings import Finding, find
from gilscope.trace.reading.reader import read
from trace_builder import GIL_HOLD, SITE_FRAME, TraceBuilder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    type Found = Callable[[TraceBuilder], list[Finding]]
    type Charged = Callable[[TraceBuilder], dict[str, int]]

US, MS = 1_000, 1_000_000
FORCED, WANTED = 1, 4
ASLEEP, LOOP, ASKED = 1, 2, 4
STDLIB = "/usr/lib/python3.13"


class Program:
    """A main thread that holds the GIL, and a worker that wants it from the first moment on."""

    def __init__(self) -> None:
        self.builder = TraceBuilder()
        self.main = self.builder.thread("MainThread", main=True)
        self.worker = self.builder.thread("worker")
        self.builder.gil()
        run = self.builder.code("main", "/src/cs.py", 3, "__main__")
        self.python = self.stack(run=run, line=9)
        self.run, self.time = run, 0

    def stack(self, *natives: tuple[str, str], run: int = 0, line: int = 8) -> int:
        """A stack of native functions, (module, name), the innermost first, and a line of main."""
        builder = self.builder
        sites = [
            builder.site(builder.module(module), 16 + number, name)
            for number, (module, name) in enumerate(natives)
        ]
        frames = [(site | SITE_FRAME, 0) for site in sites]
        return builder.stack(*frames, (run or self.run, line))

    def hold(self, ms: float, *samples: tuple[float, int, int], flags: int = WANTED) -> None:
        """A hold with samples: at how many ms of it, stack, flags."""
        end = self.time + round(ms * MS)
        about = {"what": 1, "flags": flags, "stack": self.python}
        for at, stack, sample in samples:
            self.builder.sample(self.main, self.time + round(at * MS), stack, flags=sample)
        self.builder.event(GIL_HOLD, self.main, self.time, end, **about)
        self.builder.gil_wait(self.worker, self.time + 10 * US, end, peer=self.main)
        self.builder.hold(self.worker, end, end + 10 * US)
        self.time = end + 20 * US


@pytest.fixture
def charged(tmp_path: Path) -> Charged:
    """The waiting for each function of a built trace, ns."""

    def run(builder: TraceBuilder) -> dict[str, int]:
        pieces = Facts(read(builder.write(tmp_path / "x.gilscope"))).pieces
        result: dict[str, int] = {}
        for place, ns in zip(pieces.place.tolist(), pieces.caused_ns.tolist(), strict=True):
            name = pieces.places[place].function
            result[name] = result.get(name, 0) + ns
        return result

    return run


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """The findings of a built trace."""
    return lambda builder: find(read(builder.write(tmp_path / "x.gilscope")))


def checksum(program: Program) -> int:
    """The stack of a program's own native function that computes, with a helper of its own."""
    module = "/src/minex.cpython-313-x86_64-linux-gnu.so"
    return program.stack((module, "mix(long)"), (module, "checksum(_object*, _object*)"))


def test_a_hold_is_split_between_its_samples(charged: Charged) -> None:
    """Each moment counts for the sample that is nearest to it."""
    program = Program()
    native = checksum(program)
    program.hold(50, (10, 0, LOOP), (20, native, ASKED), (40, native, ASKED))
    assert charged(program.builder) == {"main (cs.py)": 15 * MS - 10 * US, "checksum": 35 * MS}


def test_a_hold_without_samples_counts_for_where_it_ended(charged: Charged) -> None:
    """That is a function of Python."""
    program = Program()
    program.hold(3)
    assert charged(program.builder) == {"main (cs.py)": 3 * MS - 10 * US}


def test_the_function_that_keeps_the_gil_comes_first(found: Found) -> None:
    """With its module, the line that called it, for how long, and its part of all waiting."""
    program = Program()
    native = checksum(program)
    for _ in range(4):
        program.hold(50, *((at, native, ASKED if at > 5 else 0) for at in (5, 15, 30, 45)))
    first = found(program.builder)[0]
    assert first.name == "gil-held-in-native-code"
    assert first.title == (
        "checksum (minex), called at cs.py:8 in main, keeps the GIL for 50 ms at a time: "
        "100% of all waiting for the GIL"
    )
    assert not first.suspected
    assert "thread worker waited 200 ms for the GIL, 100% of it for this" in first.evidence


@pytest.mark.parametrize(("holds", "ms"), [(1, 400), (8, 50), (40, 10)])
def test_only_the_cost_counts(found: Found, holds: int, ms: int) -> None:
    """One hold of 400 ms is as bad as eight of 50."""
    program = Program()
    native = checksum(program)
    for _ in range(holds):
        program.hold(ms, *((at, native, ASKED if at > 5 else 0) for at in range(2, ms, 4)))
    (finding,) = found(program.builder)
    assert abs(finding.cost_ns - 400 * MS) < MS


def test_a_thread_that_sleeps_with_the_gil(found: Found) -> None:
    """Even if it gives the GIL up before anybody asks; the system's function is named."""
    program = Program()
    libc, ffi = "/lib/libc.so.6", "/lib/libffi.so.8"
    native = program.stack((libc, "nanosleep"), (libc, "usleep"), (ffi, "ffi_call"))
    for _ in range(50):
        program.hold(4, (2, native, ASLEEP))
    (finding,) = found(program.builder)
    assert finding.title.startswith("usleep (libc.so.6), called at cs.py:8 in main, keeps the GIL")
    assert "ctypes.CDLL" in finding.advice


def test_native_code_that_returns_in_time_is_not_the_cause(charged: Charged) -> None:
    """Python code that calls it again and again releases the GIL when it is asked to."""
    program = Program()
    native = checksum(program)
    for _ in range(20):
        program.hold(5.1, (3, native, 0), flags=FORCED | WANTED)
    assert charged(program.builder).keys() == {"main (cs.py)"}


def test_native_code_of_the_interpreter(found: Found) -> None:
    """It is said to be that, with its function."""
    program = Program()
    python = "/usr/bin/python3.13"
    native = program.stack((python, "unsafe_long_compare"), (python, "list_sort"))
    program.hold(300, *((at, native, ASKED if at > 5 else 0) for at in range(2, 300, 4)))
    (finding,) = found(program.builder)
    assert finding.title.startswith(
        "native code of the interpreter (list_sort), called at cs.py:8 in main, keeps the GIL"
    )


def test_waiting_for_native_code_is_no_starvation(found: Found) -> None:
    """The victim is named under the cause, not beside it."""
    program = Program()
    native = checksum(program)
    for _ in range(30):
        program.hold(20, *((at, native, ASKED if at > 5 else 0) for at in range(2, 20, 4)))
    assert [finding.name for finding in found(program.builder)] == ["gil-held-in-native-code"]
