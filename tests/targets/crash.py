"""Programs that do not come to a good end while they are recorded."""

from __future__ import annotations

import os
import signal
import sys
import threading

import stage
from gilscope import probe
from scenario import main, scenario, start_all

PAIRS = 20_000


def busy(trace: str) -> None:
    """Record threads that do something that can be counted."""
    probe.start(trace)
    natives = [stage.start_native(None, f"busy-{i}", PAIRS) for i in range(3)]
    for handle, _ in natives:
        stage.join_native(handle)
    print("ready", flush=True)


@scenario
def killed(trace: str) -> None:
    """Waits to be killed while another thread waits for a lock and one enters and leaves Python."""
    lock = threading.Lock()
    lock.acquire()
    waiter = threading.Thread(target=lock.acquire, name="waits for ever", daemon=True)
    busy(trace)
    waiter.start()
    stage.asleep(waiter.native_id)
    print("ready", flush=True)
    while True:
        stage.pairs(1)


@scenario
def segmentation_fault(trace: str) -> None:
    """Ends as a wrong pointer would end it."""
    busy(trace)
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)


@scenario
def full(trace: str) -> dict[str, object]:
    """Does more than there is room for."""
    probe.start(trace, max_bytes=probe.MIN_BYTES)
    natives = [stage.start_native(None, f"full-{i}", 10 * PAIRS) for i in range(3)]
    for handle, _ in natives:
        stage.join_native(handle)
    return {"report": probe.stop(), "tids": [tid for _, tid in natives], "pairs": 10 * PAIRS}


@scenario
def full_of_threads(trace: str) -> dict[str, object]:
    """Starts more threads than there is room for."""
    probe.start(trace, max_bytes=probe.MIN_BYTES)
    made = stage.idle_threads(1000)
    natives = [stage.start_native(None, f"full-{i}", 10 * PAIRS) for i in range(2)]
    for handle, _ in natives:
        stage.join_native(handle)
    for _ in range(60):
        start_all([threading.Thread(target=stage.pairs, args=(200,)) for _ in range(20)])
    return {"report": probe.stop(), "made": made}


@scenario
def nearly_full(trace: str) -> dict[str, object]:
    """Uses half of the room."""
    probe.start(trace, max_bytes=probe.MIN_BYTES)
    handle, _ = stage.start_native(None, "half", 100_000)
    stage.join_native(handle)
    return {"report": probe.stop()}


if __name__ == "__main__":
    sys.exit(main())
