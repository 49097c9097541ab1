# expect: check-then-act cache
"""A missing key is noticed by its KeyError, then set."""

import threading

cache = {}


def load(key):
    try:
        return cache[key]
    except KeyError:
        value = [key]
        cache[key] = value
        return value


def work():
    for key in range(300):
        load(key)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
