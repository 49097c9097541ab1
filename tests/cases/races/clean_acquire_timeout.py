# expect: nothing
"""acquire(timeout=...) and release in finally."""

import threading

lock = threading.Lock()
stats = {"done": 0}


def work():
    for _ in range(200):
        if not lock.acquire(timeout=30):
            return
        try:
            stats["done"] += 1
            if stats["done"] > 300:
                stats["late"] = True
        finally:
            lock.release()


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
