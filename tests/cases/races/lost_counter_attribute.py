# expect: lost-update Counter.total
"""Threads add to an attribute of one object without a lock."""

import threading


class Counter:
    def __init__(self):
        self.total = 0


counter = Counter()


def work():
    for _ in range(2000):
        counter.total += 1


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
