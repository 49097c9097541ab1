# expect: check-then-act cache
"""try: return cache[k]; except KeyError: cache[k] = make(k)."""

import threading

cache = {}


def get(key):
    try:
        return cache[key]
    except KeyError:
        value = cache[key] = object()
        return value


def work():
    for i in range(100):
        get(i)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
