# expect: nothing
"""A counter under one lock."""

import threading


class Counter:
    def __init__(self):
        self.total = 0
        self.lock = threading.Lock()


counter = Counter()


def work():
    for _ in range(1000):
        with counter.lock:
            counter.total += 1


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(counter.total)
