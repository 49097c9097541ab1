# expect: lost-update Counter.n
"""One thread holds the lock, the other one forgot it."""

import threading


class Counter:
    def __init__(self):
        self.n = 0
        self.lock = threading.Lock()


counter = Counter()


def careful():
    for _ in range(500):
        with counter.lock:
            counter.n += 1


def careless():
    for _ in range(500):
        counter.n += 1


threads = [threading.Thread(target=f) for f in (careful, careless)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
