"""Threads that come and go."""

from __future__ import annotations

import ctypes
import threading
import time

import stage
from scenario import main, scenario, start_all

from gilscope.target.recording import session as probe

MANY = 2000


@scenario
def at_once(trace: str) -> dict[str, object]:
    """300 threads that are there at the same time."""
    together = threading.Barrier(301)
    threads = [threading.Thread(target=together.wait, name=f"at once {i}") for i in range(300)]
    probe.start(trace)
    for thread in threads:
        thread.start()
    together.wait()
    for thread in threads:
        thread.join()
    report = probe.stop()
    return {**report, "names": [thread.name for thread in threads]}


@scenario
def one_after_another(trace: str) -> dict[str, object]:
    """2,000 threads, of which no two are there at the same time."""
    names = [f"turn {i}" for i in range(MANY)]
    probe.start(trace)
    for name in names:
        thread = threading.Thread(target=stage.pairs, args=(1,), name=name)
        thread.start()
        thread.join()
    report = probe.stop()
    return {**report, "names": names}


@scenario
def idle_native(trace: str) -> dict[str, object]:
    """Native threads that never enter Python."""
    probe.start(trace)
    made = stage.idle_threads(MANY)
    return {**probe.stop(), "made": made}


@scenario
def short_pools(trace: str) -> dict[str, object]:
    """Two threads use OpenMP for a moment, after which the recording is over."""
    region = ctypes.CDLL("libgomp.so.1").GOMP_parallel
    work = ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p)
    region.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    together = threading.Barrier(2)

    def use() -> None:
        together.wait()
        region(work, None, 3, 0)

    probe.start(trace)
    start_all([threading.Thread(target=use) for _ in range(2)])
    return {**probe.stop()}


@scenario
def runs_and_sleeps(trace: str) -> dict[str, object]:
    """A thread that computes, and one that waits for it to end."""
    seconds: dict[str, float] = {}

    def runs() -> None:
        before = time.thread_time()
        while time.thread_time() - before < 0.3:
            sum(range(1000))
        seconds["runs"] = time.thread_time()

    def sleeps() -> None:
        busy.join()
        seconds["sleeps"] = time.thread_time()

    busy = threading.Thread(target=runs, name="runs")
    lazy = threading.Thread(target=sleeps, name="sleeps")
    probe.start(trace)
    for thread in (busy, lazy):
        thread.start()
    lazy.join()
    return {**probe.stop(), "seconds": seconds}


@scenario
def natures(trace: str) -> dict[str, object]:
    """A thread of Python, native ones that Python notices or not, and one that was there before."""
    leave = threading.Event()
    before = threading.Thread(target=leave.wait, name="before")
    before.start()
    python = threading.Thread(target=stage.pairs, args=(1,), name="python")
    renamed = threading.Thread(target=stage.pairs, args=(1,), name="first name")
    probe.start(trace)
    python.start()
    python.join()
    renamed.name = "second name"
    renamed.start()
    renamed.join()
    unnoticed, unnoticed_tid = stage.start_native(None, "unnoticed", 1)
    stage.join_native(unnoticed)
    # What the logging module does for every record.
    noticed, noticed_tid = stage.start_native(threading.current_thread, "noticed", 1)
    stage.join_native(noticed)
    nameless, nameless_tid = stage.start_native(None, "", 1)
    stage.join_native(nameless)
    probe.stop()
    leave.set()
    before.join()
    tids = {"before": before.native_id, "python": python.native_id, "renamed": renamed.native_id}
    return {
        **tids,
        "main": threading.get_native_id(),
        "unnoticed": unnoticed_tid,
        "noticed": noticed_tid,
        "nameless": nameless_tid,
    }


@scenario
def native_of_a_late_module(trace: str) -> dict[str, object]:
    """Native threads of a module that is imported while the probe runs."""
    probe.start(trace)
    import stage_late  # noqa: PLC0415 - the time of the import is what is tested

    handle, tid = stage_late.start_native(None, "late", 1)
    stage_late.join_native(handle)
    probe.stop()
    return {"native": tid}


@scenario
def end_after_the_stop(trace: str) -> dict[str, object]:
    """Threads that start under the probe and end when it is gone."""
    leave = threading.Event()
    threads = [threading.Thread(target=leave.wait, name=f"outlives {i}") for i in range(20)]
    natives = [stage.start_native(leave.wait, f"outlives-{i}", 1) for i in range(20)]
    probe.start(trace)
    for thread in threads:
        thread.start()
    natives += [stage.start_native(leave.wait, f"outlives-{20 + i}", 1) for i in range(20)]
    for tid in [thread.native_id for thread in threads] + [tid for _, tid in natives]:
        stage.asleep(tid)
    probe.stop()
    leave.set()
    for thread in threads:
        thread.join()
    for handle, _ in natives:
        stage.join_native(handle)
    return {"names": [thread.name for thread in threads], "natives": [tid for _, tid in natives]}


@scenario
def storm(trace: str) -> dict[str, object]:
    """Threads start and end all the time while the probe is started and stopped 60 times."""
    done = threading.Event()

    def spawn() -> None:
        while not done.is_set():
            thread = threading.Thread(target=stage.pairs, args=(3,))
            thread.start()
            thread.join()
            stage.idle_threads(3)

    spawners = [threading.Thread(target=spawn) for _ in range(3)]
    for spawner in spawners:
        spawner.start()
    for _ in range(60):
        probe.start(trace, max_bytes=8 << 20)
        stage.pairs(20)
        report = probe.stop()
    done.set()
    for spawner in spawners:
        spawner.join()
    return report


class Late(threading.Thread):
    """A thread that has no name before it runs."""

    late: str

    @property
    def name(self) -> str:
        """The name, if there is one."""
        return self.late

    @name.setter
    def name(self, value: str) -> None:
        """Ignore the name that every thread is given."""

    def run(self) -> None:
        """Take a name."""
        self.late = "late"
        stage.pairs(1)


class Numbered(Late):
    """A thread whose name is no text."""

    late = 7  # type: ignore[assignment]


def named(trace: str, threads: list[threading.Thread]) -> dict[str, object]:
    """Record how the threads run."""
    probe.start(trace)
    start_all(threads)
    probe.stop()
    return {"tids": [thread.native_id for thread in threads]}


@scenario
def names_that_are_odd(trace: str) -> dict[str, object]:
    """Names that are text, but of a kind that few think of."""
    names = ["x" * 5000, "tab\tand\nnewline", "\N{SNAKE}", "nul\0nul"]
    threads = [threading.Thread(target=stage.pairs, args=(1,), name=name) for name in names]
    return {**named(trace, threads), "names": names}


@scenario
def names_that_are_no_text(trace: str) -> dict[str, object]:
    """Names that cannot be encoded, or are no strings."""
    half = threading.Thread(target=stage.pairs, args=(1,), name="half \udc80 a pair")
    return named(trace, [half, Numbered()])


@scenario
def names_that_come_late(trace: str) -> dict[str, object]:
    """A class of threads that raises when it is asked for a name too early."""
    return named(trace, [Late()])


@scenario
def names_that_were_there_before(trace: str) -> dict[str, object]:
    """Such threads run already when the probe is started."""
    leave = threading.Event()
    half = threading.Thread(target=leave.wait, name="half \udc80 a pair")
    threads = [half, Numbered()]
    half.start()
    facts = named(trace, threads[1:])
    leave.set()
    half.join()
    return facts


if __name__ == "__main__":
    main()
