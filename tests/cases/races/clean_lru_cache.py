# expect: nothing
"""A function with lru_cache, called by several threads."""

import functools
import threading


@functools.lru_cache(maxsize=32)
def square(n):
    return [n * n]


def work():
    for i in range(300):
        square(i % 50)


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
