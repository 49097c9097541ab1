# expect: nothing
"""The sum comes from operator.iadd, under a lock."""

import operator
import threading


class Counter:
    def __init__(self):
        self.n = 0


counter = Counter()
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            counter.n = operator.iadd(counter.n, 1)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
