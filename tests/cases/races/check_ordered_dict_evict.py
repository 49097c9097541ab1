# expect: check-then-act cache
"""An LRU of an OrderedDict: the length is looked at, then the oldest is dropped."""

import threading
from collections import OrderedDict

cache = OrderedDict()


def put(key):
    cache[key] = key
    if len(cache) > 10:
        try:
            cache.popitem(last=False)
        except KeyError:
            pass


def left():
    for i in range(300):
        put(i)


def right():
    for i in range(300):
        put(-i)


threads = [threading.Thread(target=f) for f in (left, right)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
