"""Forks with one thread, and when others have ended: ``python forks.py TRACE``.

Not a scenario: those are watched by a thread.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from gilscope.target.recording import session as probe


def system_threads() -> int:
    """Return how many threads the kernel counts in this process."""
    return len(list(Path("/proc/self/task").iterdir()))


def fork() -> int:
    """Fork a child that ends at once; return its status."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    """Fork alone, then after a thread has come and gone, twice."""
    probe.start(sys.argv[1])
    threads, statuses = [system_threads()], [fork()]
    for _ in range(2):
        other = threading.Thread(target=int)
        other.start()
        other.join()
        while Path(f"/proc/self/task/{other.native_id}").exists():  # a moment longer than join()
            time.sleep(0.001)
        statuses.append(fork())
        threads.append(system_threads())
    print(json.dumps({"threads": threads, "statuses": statuses, **probe.stop()}))


if __name__ == "__main__":
    main()
