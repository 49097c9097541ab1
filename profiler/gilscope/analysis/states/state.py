"""The states that a thread can be in."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """What a thread is doing; every moment of a thread's life is in exactly one state."""

    HOLDING_GIL = 0
    RUNNING = 1  # without the GIL, or native code: nothing that the probe sees holds it up
    WAITING_GIL = 2
    WAITING_LOCK = 3
    BLOCKED = 4  # waits for something to happen (an event, an item in a queue): no contention
    STOPPED_WORLD = 5  # a stop-the-world pause: held up by it, or waiting for the others to stop
