# expect: nothing
"""Values that belong together are replaced as one tuple."""

import threading


class Range:
    bounds = (0, 10)


r = Range()
r.bounds = (0, 10)


def move():
    for i in range(300):
        r.bounds = (i, i + 10)


def read():
    for _ in range(300):
        low, high = r.bounds
        assert high - low == 10


threads = [threading.Thread(target=f) for f in (move, read)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
