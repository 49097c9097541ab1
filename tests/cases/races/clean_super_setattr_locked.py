# expect: nothing
"""A class with a __setattr__ of its own that passes on to super(), under a lock."""

import threading


class Counter:
    def __init__(self):
        self.n = 0

    def __setattr__(self, name, value):
        super().__setattr__(name, value)


counter = Counter()
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            counter.n = counter.n + 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
