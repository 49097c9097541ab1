# expect: lost-update Counter.n
"""The sum comes from operator.iadd."""

import operator
import threading


class Counter:
    def __init__(self):
        self.n = 0


counter = Counter()


def work():
    for _ in range(100):
        counter.n = operator.iadd(counter.n, 1)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
