# expect: nothing
"""Double-checked initialization with the second check under the lock."""

import threading


class Lazy:
    def __init__(self):
        self.value = None
        self.lock = threading.Lock()

    def get(self):
        if self.value is None:
            with self.lock:
                if self.value is None:
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
