# expect: nothing
"""The lock is in a base class, the update in a method of a subclass, the with in a helper."""

import contextlib
import threading


class Guarded:
    def __init__(self):
        self._guard = threading.RLock()

    @contextlib.contextmanager
    def guarded(self):
        self._guard.acquire()
        try:
            yield self
        finally:
            self._guard.release()


class Stock(Guarded):
    def __init__(self):
        super().__init__()
        self.items = {}

    def add(self, name):
        with self.guarded():
            if name not in self.items:
                self.items[name] = 0
            self.items[name] += 1

    def add_two(self, name):
        with self.guarded():
            self.add(name)
            self.add(name)


stock = Stock()


def work():
    for i in range(100):
        stock.add_two(i % 7)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sum(stock.items.values()))
