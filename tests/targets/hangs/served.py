"""A program that can be attached to, until its input ends; "child" forks first.

With "keeps", a thread keeps the GIL in native code for 0.2 s now and then.

A line "fork" or "exec" of its input has it do that.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time

import gilscope.agent  # noqa: F401 - that is all it takes

stop = threading.Event()


def work() -> None:
    """Wait for the GIL now and then."""
    while not stop.is_set():
        sum(range(20_000))
        time.sleep(0.001)


def keep() -> None:
    """Keep the GIL."""
    while not stop.is_set():
        ctypes.PyDLL(None).usleep(200_000)
        time.sleep(0.05)


targets = [work, work, *([keep] if sys.argv[1:] == ["keeps"] else [])]
threads = [threading.Thread(target=target) for target in targets]
for thread in threads:
    thread.start()
pids = [os.getpid()]
if sys.argv[1:] == ["child"]:
    child = os.fork()
    if not child:
        time.sleep(30)
        os._exit(0)
    pids.append(child)
print(*pids, flush=True)
for line in sys.stdin:
    if line == "fork\n":
        if not (forked := os.fork()):
            os._exit(0)
        os.waitpid(forked, 0)
        print("forked", flush=True)
    elif line == "exec\n":
        os.execv(sys.executable, [sys.executable, "-c", "input()"])  # noqa: S606 - to execute it
stop.set()
if len(pids) > 1:
    os.kill(pids[1], 9)
