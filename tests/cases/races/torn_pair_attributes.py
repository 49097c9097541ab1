# expect: torn-pair Range
"""Two attributes that belong together are written one after the other."""

import threading


class Range:
    def __init__(self):
        self.low = 0
        self.high = 10


r = Range()


def move():
    for i in range(500):
        r.low = i
        r.high = i + 10


def read():
    wrong = 0
    for _ in range(500):
        low = r.low
        high = r.high
        wrong += high - low != 10


threads = [threading.Thread(target=f) for f in (move, read)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
