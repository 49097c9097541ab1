# expect: lost-update Monitor.stats
"""A namedtuple kept in an attribute is replaced with _replace."""

import threading
from typing import NamedTuple


class Stats(NamedTuple):
    calls: int
    bytes: int


class Monitor:
    def __init__(self):
        self.stats = Stats(0, 0)

    def record(self, size):
        self.stats = self.stats._replace(calls=self.stats.calls + 1)
        return size


monitor = Monitor()


def work():
    for i in range(300):
        monitor.record(i)


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
