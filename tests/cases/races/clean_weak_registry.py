# expect: nothing
"""Objects register themselves in a WeakSet under a lock."""

import threading
import weakref

lock = threading.Lock()
alive = weakref.WeakSet()


class Client:
    def __init__(self):
        with lock:
            alive.add(self)


def work():
    for _ in range(100):
        Client()
        with lock:
            len(list(alive))


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
