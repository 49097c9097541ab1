# expect: iteration rows
"""zip() goes over a list from which another thread removes."""

import threading

rows = list(range(400))


def shrink():
    while len(rows) > 10:
        rows.pop(0)


def pairs():
    for _ in range(30):
        for a, b in zip(rows, range(1000)):
            hash((a, b))


threads = [threading.Thread(target=f) for f in (shrink, pairs)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
