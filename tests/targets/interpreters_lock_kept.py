"""The probe starts while a thread without a state has the lock of the list of interpreters."""

from __future__ import annotations

import sys
import threading
import time

import interpreters_lock
import stage
from scenario import main, scenario

from gilscope.target.recording import session as probe

KEPT_MS = 500
PAUSE_S = 0.1


@scenario
def wanted_with_the_gil(trace: str) -> dict[str, object]:
    """The start waits for the lock first, then another thread does so and keeps the GIL."""
    probe.start(f"{trace}.first")  # with the self-test, which takes its time
    probe.stop()
    starting = threading.get_native_id()
    frames: list[int] = []

    def look() -> None:
        time.sleep(PAUSE_S)
        stage.asleep(starting)
        frames.append(len(sys._current_frames()))

    thread = threading.Thread(target=look)
    thread.start()
    interpreters_lock.keep(KEPT_MS)
    probe.start(trace)
    running = probe.running()
    thread.join()
    probe.stop()
    return {"running": running, "frames": frames}


if __name__ == "__main__":
    main()
