"""Lets the tasks of a pool go to several threads, as they may.

The first thread of a pool would do many short tasks, in order, before the pool starts the next
one. So each thread rests before it gives the result of each of its first few tasks.
"""

from __future__ import annotations

import threading
import time

REST_S = 0.02
RESTS = 4  # of each thread


class Spread(threading.local):
    """What one thread has done of a pool's tasks."""

    def __init__(self) -> None:
        """Begin with the thread's first task."""
        self.task: object = None
        self.begun = 0

    def begins(self, future: object) -> None:
        """Know of the task that the thread is about to do, by its future."""
        self.begun += 1
        self.task = future if self.begun <= RESTS else None

    def ends(self, future: object) -> None:
        """Rest, when the thread is about to give the result of one of its first tasks."""
        if self.task is future:
            self.task = None
            time.sleep(REST_S)
