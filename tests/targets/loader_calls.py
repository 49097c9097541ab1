"""Controls the probe, and prints which functions of the loader it called with the GIL.

``loader_calls.py TRACE``, with loader_calls.c preloaded.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
import time

from gilscope.target.recording import session as probe


def work() -> None:
    """Wait for the GIL and for a lock, make threads, and a child."""
    lock = threading.Lock()

    def contend() -> None:
        for _ in range(50):
            with lock:
                sum(range(2000))
            time.sleep(0)

    threads = [threading.Thread(target=contend) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def main() -> None:
    """Call all functions that control the probe, the first session's way first."""
    trace = sys.argv[1]
    probe.running()  # loads what is native
    noted = ctypes.CDLL(None)
    noted.calls_of_the_loader.restype = ctypes.c_char_p
    names = [noted.calls_of_the_loader(which).decode() for which in range(7)]
    seen: dict[str, dict[str, int]] = {}
    before = [0] * len(names)
    for step, function in {
        "first start": lambda: probe.start(trace),
        "work": work,
        "snapshot": lambda: probe.snapshot(f"{trace}.snapshot"),
        "stop": probe.stop,
        "hooks": probe.hooks,
        "start": lambda: probe.start(trace),
        "last stop": probe.stop,
        "self-test": probe.self_test,
    }.items():
        function()
        now = [noted.number_of_calls(which) for which in range(len(names))]
        seen[step] = {
            name: late - early
            for name, early, late in zip(names, before, now, strict=True)
            if late != early
        }
        before = now
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
