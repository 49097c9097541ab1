# expect: nothing
"""A context manager by a generator that counts its users under the lock."""

import contextlib
import threading


class Pool:
    def __init__(self):
        self.lock = threading.Lock()
        self.used = 0
        self.most = 0

    @contextlib.contextmanager
    def slot(self):
        with self.lock:
            self.used += 1
            self.most = max(self.most, self.used)
        try:
            yield
        finally:
            with self.lock:
                self.used -= 1


pool = Pool()


def work():
    for _ in range(100):
        with pool.slot():
            pass


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
