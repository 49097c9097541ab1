# expect: nothing
"""A dict is filled by setdefault, one atomic operation."""

import threading

cache = {}


def work():
    for k in range(300):
        cache.setdefault(k, []).append(k)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(len(cache))
