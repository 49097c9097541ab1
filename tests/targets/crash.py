"""Programs that do not come to a good end while they are recorded."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import stage
from scenario import main, scenario, start_all

from gilscope.errors import ProbeError
from gilscope.target.recording import session as probe
from gilscope.target.recording.options import MIN_BYTES

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
        time.sleep(0.001)


@scenario
def segmentation_fault(trace: str) -> None:
    """Ends as a wrong pointer would end it."""
    busy(trace)
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)


@scenario
def full(trace: str) -> dict[str, object]:
    """Does more than there is room for."""
    probe.start(trace, max_bytes=MIN_BYTES)
    natives = [stage.start_native(None, f"full-{i}", 10 * PAIRS) for i in range(3)]
    for handle, _ in natives:
        stage.join_native(handle)
    return {"report": probe.stop(), "tids": [tid for _, tid in natives], "pairs": 10 * PAIRS}


@scenario
def full_of_threads(trace: str) -> dict[str, object]:
    """Starts more threads than there is room for."""
    probe.start(trace, max_bytes=MIN_BYTES)
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
    probe.start(trace, max_bytes=MIN_BYTES)
    handle, _ = stage.start_native(None, "half", 100_000)
    stage.join_native(handle)
    return {"report": probe.stop()}


def limited(size: int) -> None:
    """Let no file grow beyond ``size`` bytes: to a program that is what a full disk looks like."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@scenario
def disk_full(trace: str) -> dict[str, object]:
    """The disk gets full while threads are recorded."""
    limited(6 << 20)
    probe.start(trace)
    handle, _ = stage.start_native(None, "fills", 20 * PAIRS)
    stage.join_native(handle)
    return {"report": probe.stop()}


@scenario
def disk_full_before(trace: str) -> dict[str, object]:
    """The disk is full already: there is room for the beginning of a trace, or for nothing."""
    probe.self_test()  # once, while there is room
    refusals = []
    for size in (1 << 16, 4096, 0):
        limited(size)
        try:
            probe.start(trace)
        except ProbeError as error:
            refusals.append(str(error))
        else:
            stage.pairs(PAIRS)
            probe.stop()
    limited(resource.RLIM_INFINITY)
    left = Path(trace).exists()
    probe.start(trace)
    return {"refusals": refusals, "left": left, "report": probe.stop()}


if __name__ == "__main__":
    sys.exit(main())
