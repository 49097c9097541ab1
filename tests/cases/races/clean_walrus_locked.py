# expect: nothing
"""A walrus under the lock decides; the check before it is only a hint."""

import threading


class Once:
    def __init__(self):
        self.lock = threading.Lock()
        self.value = None

    def get(self):
        if (value := self.value) is not None:
            return value
        with self.lock:
            if (value := self.value) is None:
                value = self.value = object()
            return value


cells = [Once() for _ in range(50)]


def work():
    for cell in cells:
        cell.get()


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
