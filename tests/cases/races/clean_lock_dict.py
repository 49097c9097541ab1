# expect: nothing
"""A lock a key, made by setdefault."""

import threading

locks = {}
values = {i: 0 for i in range(5)}


def work():
    for i in range(200):
        key = i % 5
        with locks.setdefault(key, threading.Lock()):
            values[key] += 1


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
