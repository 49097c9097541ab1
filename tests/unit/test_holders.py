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


def test_an_extension_of_the_standard_library(found: Found) -> None:
    """Nobody can release the GIL in it: the advice is that for Python's own native code."""
    program = Program()
    path = "/usr/lib/python3.13/lib-dynload/_json.cpython-313-x86_64-linux-gnu.so"
    native = program.stack((path, "encoder_call"))
    program.hold(400, *((at, native, ASKED if at > 5 else 0) for at in range(2, 400, 4)))
    (finding,) = found(program.builder)
    assert finding.title.startswith("encoder_call (_json), called at cs.py:8 in main, keeps")
    assert "Python's own native code" in finding.advice


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
    """It is shown as such, with its function."""
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


def test_holds_that_nobody_saw_count_as_the_others_that_ended_there(charged: Charged) -> None:
    """The kernel's tick may not come in a short one; but only where nearly all are alike."""
    program = Program()
    native = checksum(program)
    for number in range(10):
        program.hold(10, *([(7, native, ASKED)] if number else []))
    assert charged(program.builder) == {"checksum": 10 * (10 * MS - 10 * US)}
    mixed = Program()
    native = checksum(mixed)
    for number in range(10):
        mixed.hold(10, *([(7, native, ASKED)] if number % 2 else [(7, 0, LOOP)] if number else []))
    assert charged(mixed.builder)["main (cs.py)"] == 5 * (10 * MS - 10 * US)


def convoy(away_us: int) -> TraceBuilder:
    """A thread gives the GIL up for so long, and each time waits a switch interval to get it."""
    builder = TraceBuilder()
    main, task = builder.thread("MainThread", main=True), builder.thread("task")
    builder.gil()
    file = "/src/case.py"
    reading = builder.stack((builder.code("read", file, 20, "case"), 24))
    computing = builder.stack((builder.code("task", file, 10, "case"), 14))
    time = 0
    for _ in range(40):
        begin = time + away_us * US
        end = begin + 5 * MS
        forced = {"what": 1, "flags": FORCED | WANTED, "stack": computing}
        builder.event(GIL_HOLD, task, time, end, **forced)
        builder.gil_wait(main, begin, end, peer=task, aux=1, flags=0)
        about = {"what": 1, "stack": reading}
        builder.event(GIL_HOLD, main, end + US, end + 3 * US, **about)
        time = end + 4 * US
    return builder


def test_the_thread_that_computes_is_named_before_the_one_that_waits(found: Found) -> None:
    """A thread that gives the GIL up for moments gets it back after a switch interval only."""
    (finding,) = found(convoy(500))
    assert finding.title == (
        "thread task computes in Python (case.py:14 in task): thread MainThread waits 5 ms for the "
        "GIL each time and then holds it for 2 µs"
    )
    assert any("released the GIL for 501 µs" in line for line in finding.evidence)


def test_a_thread_that_is_away_for_longer_than_it_waits_is_left_alone(found: Found) -> None:
    """It sleeps for 8 ms each time."""
    assert found(convoy(8_000)) == []
