"""Native code that enters Python in known ways a known number of times."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
import time

import callback_stage
from scenario import main, scenario

from gilscope.target.recording import session as probe

N = 50
SUM = 1 + 0.5 + 2 + 0.25 + 3 + 0.125 + 4 + 8.0 + 16.0 + 32.0

ways = (
    "ensure",
    "ensure_inside",
    "ensure_with_sections",
    "acquire",
    "acquire_with_sections",
    "restore",
    "swap",
    "scoped",
    "scoped_inside",
    "abandon",
)


def work() -> None:
    """Be called."""


def total(*numbers: float) -> float:
    """Add up."""
    return sum(numbers)


class Handler:
    """Has a method, and can itself be called."""

    def __call__(self) -> None:
        """Be called."""

    def method(self, *numbers: float) -> float:
        """Add up."""
        return sum(numbers)


def one_after_another(trace: str, run: object) -> dict[str, object]:
    """Give each way a trace of its own."""
    assert callable(run)
    for way in ways:
        probe.start(f"{trace}.{way}")
        run(way, work, N)
        probe.stop()
    return {"n": N}


@scenario
def in_native_threads(trace: str) -> dict[str, object]:
    """A native thread comes in, N times in each way."""
    return one_after_another(trace, callback_stage.in_thread)


@scenario
def in_released_sections(trace: str) -> dict[str, object]:
    """Python calls native code, which gives the GIL up and comes in again, in the same thread."""
    for way in ("ensure", "ensure_with_sections", "scoped"):
        probe.start(f"{trace}.{way}")
        callback_stage.here(way, work, N)
        probe.stop()
    return {"n": N}


@scenario
def attached(trace: str) -> dict[str, object]:
    """Native code asks for the GIL while it has it; other code gives it up and takes it again."""
    probe.start(trace)
    callback_stage.attached(work, N)
    for _ in range(N):
        time.sleep(0)
    probe.stop()
    return {}


@scenario
def started_inside(trace: str) -> dict[str, object]:
    """Recording begins while threads are in callbacks and in sections without the GIL."""
    go, ready = threading.Event(), threading.Barrier(3)

    def wait() -> None:
        ready.wait()
        go.wait()

    def in_a_section() -> None:
        callback_stage.here("ensure", wait, 1)

    threads = [
        threading.Thread(target=callback_stage.in_thread, args=("ensure_inside", wait, 1)),
        threading.Thread(target=in_a_section),
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    probe.start(trace)
    go.set()
    for thread in threads:
        thread.join()
    callback_stage.in_thread("ensure", work, N)
    probe.stop()
    return {"n": N}


@scenario
def nested(trace: str) -> dict[str, object]:
    """A callback calls native code, which calls back, and so on, deeper than is recorded."""

    def down(depth: int) -> None:
        if depth:
            callback_stage.here("ensure", functools.partial(down, depth - 1), 1)

    probe.start(trace)
    callback_stage.in_thread("ensure", functools.partial(down, 3), N)
    callback_stage.in_thread("ensure", functools.partial(down, 20), 2)
    callback_stage.in_thread("ensure", work, N)
    probe.stop()
    return {"n": N}


@scenario
def callables(trace: str) -> dict[str, object]:
    """What is called is a function, a method, an object, a class, a built-in, a partial."""
    handler = Handler()

    def fails() -> None:
        raise ValueError

    def named(_: float) -> None:
        """Be the key of a sort."""

    cases = {
        "function": work,
        "method": handler.method,
        "instance": handler,
        "class": Handler,
        "built-in": time.monotonic,
        "partial": functools.partial(named, 1.0),
        "lambda": lambda: None,
        "failing": fails,
        "built-in method": [].copy,
    }
    for name, case in cases.items():
        probe.start(f"{trace}.{name}")
        callback_stage.in_thread("ensure", case, 2)
        probe.stop()
    return {}


@scenario
def arguments(trace: str) -> dict[str, object]:
    """Calls with arguments of all kinds give what they give without the probe."""
    probe.start(trace)
    sums = [
        callback_stage.in_thread("arguments", total, N),
        callback_stage.in_thread("method", Handler(), N),
        callback_stage.in_thread("method_with_objects", Handler(), N),
    ]
    probe.stop()
    return {"sums": sums, "expected": [N * SUM, N * 0.75, N * 1.0], "n": N}


@scenario
def ends_inside(trace: str) -> dict[str, object]:
    """Native threads end in the middle of a callback; others follow."""
    probe.start(trace)
    for _ in range(N):
        callback_stage.in_thread("end_inside", work, 1)
    callback_stage.in_thread("ensure", work, N)
    probe.stop()
    return {"n": N}


def call_in_without_a_pause() -> None:
    """Start threads that call into the interpreter for ever, and let them."""
    for _ in range(3):
        callback_stage.forever(work)
    threading.Thread(
        target=callback_stage.in_thread, args=("ensure", work, 1 << 40), daemon=True
    ).start()
    time.sleep(0.2)


@scenario
def finalization(trace: str) -> dict[str, object]:
    """The interpreter ends while threads of native code call into it without a pause."""
    probe.start(trace)
    call_in_without_a_pause()
    return {}


@scenario
def finalization_without_us(_trace: str) -> dict[str, object]:
    """The same without the probe."""
    call_in_without_a_pause()
    return {}


@scenario
def restarted(trace: str) -> dict[str, object]:
    """Recording stops and starts again and again while native threads call back."""
    for _ in range(3):
        callback_stage.forever(work)
    for i in range(20):
        probe.start(f"{trace}.{i}")
        time.sleep(0.01)
        probe.stop()
    atexit.register(leave)
    return {"n": 20}


def leave() -> None:
    """End at once: native threads that call into an interpreter that ends are another story."""
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
