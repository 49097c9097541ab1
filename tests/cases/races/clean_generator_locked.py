# expect: nothing
"""A generator holds the lock while it is suspended; one thread at a time goes through."""

import threading

lock = threading.Lock()
log = {"n": 0}


def guarded():
    with lock:
        for i in range(20):
            log["n"] += 1
            yield i


def work():
    for _ in range(10):
        for _ in guarded():
            log["n"] += 1


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
