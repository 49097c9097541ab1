# expect: check-then-act cache
"""A cache is filled where a key is missing."""

import threading

cache = {}


def work():
    for k in range(300):
        if k not in cache:
            cache[k] = k * k


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
