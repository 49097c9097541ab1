# expect: nothing
"""A frozen dataclass sets its own field by object.__setattr__, under a lock."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Counter:
    n: int = 0

    def increment(self):
        object.__setattr__(self, "n", self.n + 1)


counter = Counter()
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            counter.increment()


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
