# expect: check-then-act cache
"""if len(cache) >= 10: cache.popitem()"""

import threading

cache = {}


def work():
    for i in range(100):
        if len(cache) >= 10:
            cache.popitem()
        cache[threading.get_ident(), i] = i


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
