"""What makes a program stuck, judged from what the kernel tells of its threads."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilscope.runner import watchdog
from gilscope.runner.watchdog import Sleep, Watchdog, all_asleep, interpreter_regions, same_waits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMEOUT_S = 60
JOINED = Sleep(("0x1", "0x189", "0x0"), joins=0, for_gil=False, wakes=3, cpu_ns=10)
FOR_GIL = Sleep(("0x2", "0x3", "0x4"), joins=0, for_gil=True, wakes=100, cpu_ns=10_000_000)
NOWHERE = Path("/nowhere")

DEADLOCK = """
import threading
a, b, meet = threading.Lock(), threading.Lock(), threading.Barrier(2)
def take(first, second):
    with first:
        meet.wait()
        second.acquire()
threading.Thread(target=take, args=(a, b)).start()
take(b, a)
"""
WAITS = {
    "sleep": "import time; print(flush=True); time.sleep(600)",
    "file": "import os; r, w = os.pipe(); print(flush=True); os.read(r, 1)",
    "time limit": "import threading; l = threading.Lock(); l.acquire(); print(flush=True); "
    "l.acquire(timeout=600)",
    "signal": "import signal, threading; l = threading.Lock(); l.acquire(); "
    "signal.signal(signal.SIGALRM, lambda *_: l.release()); print(flush=True); l.acquire()",
    "child": "import subprocess, sys; print(flush=True); "
    "subprocess.run([sys.executable, '-c', 'input()'])",
    "other process": "import multiprocessing as m; l = m.Lock(); l.acquire(); print(flush=True); "
    "l.acquire()",
}


@contextmanager
def program(code: str) -> Iterator[int]:
    """Run code in a process of its own; yields its id."""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def eventually(condition: Callable[[], object]) -> bool:
    """Wait for a condition."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


needs_futex = pytest.mark.skipif(
    watchdog.FUTEX is None or not Path("/proc/self/task").exists(), reason="no futex known here"
)


@needs_futex
def test_a_deadlock_of_python_locks_is_noticed() -> None:
    """Two threads, each with the lock that the other one wants."""
    with program(DEADLOCK) as pid:
        watch = Watchdog(NOWHERE)
        assert eventually(lambda: watch.stuck(pid))
        assert len(all_asleep(pid)) == 2


@needs_futex
@pytest.mark.parametrize("wait", WAITS)
def test_what_something_else_can_end_is_no_deadlock(wait: str) -> None:
    """A time limit, a file, a signal, another process: looked at for as long as it is asleep."""
    with program(WAITS[wait]) as pid:
        asleep = Path(f"/proc/{pid}/stat")
        assert eventually(lambda: asleep.read_text().rpartition(")")[2].split()[0] == "S")
        ticks = iter(range(1000))
        watch = Watchdog(NOWHERE, clock=lambda: float(next(ticks)))
        assert not any(watch.stuck(pid) for _ in range(20))


def test_a_process_that_is_gone_is_not_stuck() -> None:
    """There is nothing to look at."""
    with program("pass") as pid:
        pass
    assert all_asleep(pid) == {}


def test_the_same_waits_are_those_of_the_same_threads() -> None:
    """A thread that has come, gone, woken up or waits elsewhere has made progress."""
    first = {1: JOINED, 2: FOR_GIL}
    assert same_waits(first, first, 2.0)
    assert not same_waits(first, {1: JOINED}, 2.0)
    assert not same_waits(first, {**first, 1: replace(JOINED, wakes=4)}, 2.0)
    assert not same_waits(first, {**first, 1: replace(JOINED, call=("0x9",))}, 2.0)


def test_who_waits_for_the_gil_wakes_up_in_between() -> None:
    """In slices of 5 ms, in which it does next to nothing."""
    later = replace(FOR_GIL, wakes=500, cpu_ns=50_000_000)
    assert same_waits({1: FOR_GIL}, {1: later}, 2.0)
    assert not same_waits({1: FOR_GIL}, {1: replace(later, wakes=5000)}, 2.0)
    assert not same_waits({1: FOR_GIL}, {1: replace(later, cpu_ns=1_000_000_000)}, 2.0)


def test_a_stuck_process_is_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the trace says that the GIL was taken in between, more time has to pass."""
    monkeypatch.setattr(watchdog, "all_asleep", lambda _: {7: FOR_GIL})
    asked: list[float] = []

    def confirm(_tids: object, seconds: float) -> bool:
        asked.append(seconds)
        return len(asked) == 2

    ticks = iter(range(100))
    watch = Watchdog(NOWHERE, confirm, clock=lambda: float(next(ticks)))
    assert [watch.stuck(1) for _ in range(8)] == [False] * 7 + [True]
    assert asked == [2.0, 4.0]


def test_a_moment_awake_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for the GIL is awake between slices; the threads count as unchanged."""
    looks = [{7: FOR_GIL}, {}, *[{7: FOR_GIL}] * 6]
    seen = iter(looks)
    monkeypatch.setattr(watchdog, "all_asleep", lambda _: next(seen))
    ticks = iter(range(100))
    watch = Watchdog(NOWHERE, lambda *_: True, clock=lambda: float(next(ticks)))
    assert [watch.stuck(1) for _ in range(3)] == [False, False, True]


def test_a_process_that_stays_awake_has_gone_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """All begins anew."""
    looks = [{7: FOR_GIL}, *[{}] * (watchdog.MISSES + 1), *[{7: FOR_GIL}] * 9]
    seen = iter(looks)
    monkeypatch.setattr(watchdog, "all_asleep", lambda _: next(seen))
    ticks = iter(range(100))
    watch = Watchdog(NOWHERE, lambda *_: True, clock=lambda: float(next(ticks)))
    answers = [watch.stuck(1) for _ in range(len(looks) - 6)]
    assert answers == [False] * (len(answers) - 1) + [True]


def test_the_data_of_the_interpreter_ends_with_its_bss() -> None:
    """What follows without a name belongs to it; what follows that does not."""
    maps = """\
1000-2000 r-xp 00000000 08:01 1 /usr/bin/python3.13
2000-3000 rw-p 00001000 08:01 1 /usr/bin/python3.13
3000-4000 rw-p 00000000 00:00 0
5000-6000 rw-p 00000000 00:00 0
6000-7000 rw-p 00000000 00:00 0          [heap]
8000-9000 rw-p 00000000 08:01 2 /usr/lib/libc.so.6
9000-a000 rw-p 00000000 00:00 0
"""
    assert interpreter_regions(maps) == [range(0x2000, 0x3000), range(0x3000, 0x4000)]


def test_stacks_are_asked_for_by_a_signal(tmp_path: Path) -> None:
    """Of all threads, whatever they wait for."""
    path = tmp_path / "stacks"
    code = (
        f"import faulthandler; f = open({str(path)!r}, 'w'); "
        f"faulthandler.register({int(watchdog.DUMP_SIGNAL)}, f)\n" + DEADLOCK
    )
    with program(code) as pid:
        assert eventually(lambda: len(all_asleep(pid)) == 2)
        watch = Watchdog(path)
        assert eventually(lambda: watch.stacks(pid).count("most recent call first") >= 2)
    assert "in take" in path.read_text()


def test_no_signal_is_sent_where_nobody_listens() -> None:
    """It would end the program."""
    with program(WAITS["sleep"]) as pid:
        assert Watchdog(NOWHERE).stacks(pid) == ""
        assert signal.SIGRTMAX > watchdog.DUMP_SIGNAL
