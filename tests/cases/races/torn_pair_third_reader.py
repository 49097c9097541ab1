# expect: torn-pair Range
"""Two threads set both ends under a lock; a third one reads both without it."""

import threading


class Range:
    def __init__(self):
        self.lock = threading.Lock()
        self.low = 0
        self.high = 0

    def set(self, low, high):
        with self.lock:
            self.low = low
            self.high = high


span = Range()


def move(by):
    for i in range(300):
        span.set(i, i + by)


def measure():
    for _ in range(300):
        low = span.low
        high = span.high
        hash(high - low)


threads = [threading.Thread(target=move, args=(by,)) for by in (1, 2)]
threads.append(threading.Thread(target=measure))
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
