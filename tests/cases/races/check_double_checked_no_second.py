# expect: check-then-act Pool.ready
"""Checked outside the lock, built inside without a second look."""

import threading


class Pool:
    lock = threading.Lock()

    def __init__(self):
        self.ready = False
        self.built = []

    def get(self):
        if not self.ready:
            with self.lock:
                self.built.append(1)
                self.ready = True
        return self.built


pools = [Pool() for _ in range(200)]


def work():
    for pool in pools:
        pool.get()


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
