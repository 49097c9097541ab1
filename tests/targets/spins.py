"""Threads that yield the processor."""

from __future__ import annotations

import os
import sys
import threading

import stage
from scenario import main, scenario

from gilscope import profile


@scenario
def yields(trace: str) -> dict[str, object]:
    """The program yields by itself."""
    with profile(trace):
        for _ in range(200):
            os.sched_yield()
    return {"tid": threading.get_native_id()}


@scenario
def again(trace: str) -> dict[str, object]:
    """A thread runs into a lock that is taken, again and again."""
    lock = threading.Lock()
    times = 5
    turn = [0]
    done = [0]

    def run() -> None:
        for i in range(times):
            while turn[0] != i + 1:
                os.sched_yield()
            lock.acquire()
            lock.release()
            done[0] = i + 1

    thread = threading.Thread(target=run)
    with profile(trace):
        thread.start()
        for i in range(times):
            lock.acquire()
            turn[0] = i + 1
            stage.asleep(thread.native_id)
            lock.release()
            while done[0] != i + 1:
                os.sched_yield()
        thread.join()
    return {"tid": thread.native_id, "object": id(lock), "times": times}


if __name__ == "__main__":
    sys.exit(main())
