# expect: nothing
"""Two attributes that belong together, written and read under one lock."""

import threading


class Range:
    def __init__(self):
        self.lock = threading.Lock()
        self.low = 0
        self.high = 10


r = Range()


def move():
    for i in range(300):
        with r.lock:
            r.low = i
            r.high = i + 10


def read():
    for _ in range(300):
        with r.lock:
            assert r.high - r.low == 10


threads = [threading.Thread(target=f) for f in (move, read)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
