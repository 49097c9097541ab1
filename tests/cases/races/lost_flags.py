# expect: lost-update Task.flags
"""A bit is set in flags of an IntFlag."""

import enum
import threading


class Flag(enum.IntFlag):
    NONE = 0
    STARTED = 1
    DONE = 2


class Task:
    def __init__(self):
        self.flags = Flag.NONE


task = Task()


def first():
    for _ in range(50):
        task.flags |= Flag.STARTED


def second():
    for _ in range(50):
        task.flags &= ~Flag.DONE


threads = [threading.Thread(target=f) for f in (first, second)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
