# expect: nothing
"""An LRU cache by OrderedDict in a class with a lock."""

import threading
from collections import OrderedDict


class Lru(OrderedDict):
    def __init__(self, most):
        super().__init__()
        self.most = most
        self.lock = threading.Lock()

    def lookup(self, key):
        with self.lock:
            if key in self:
                self.move_to_end(key)
                return self[key]
            self[key] = key * 2
            while len(self) > self.most:
                self.popitem(last=False)
            return self[key]


cache = Lru(10)


def work():
    for i in range(200):
        cache.lookup(i % 17)


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
