# expect: check-then-act Lazy.value
"""Double-checked initialization whose second check is missing."""

import threading


class Lazy:
    def __init__(self):
        self.value = None
        self.lock = threading.Lock()

    def get(self):
        if self.value is None:
            with self.lock:
                self.value = [1]
        return self.value


lazies = [Lazy() for _ in range(100)]


def work():
    for lazy in lazies:
        lazy.get()


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
