# expect: nothing
"""A reentrant lock, taken twice by a method and its helper."""

import threading


class Tree:
    def __init__(self):
        self.lock = threading.RLock()
        self.size = 0

    def _grow(self):
        with self.lock:
            self.size += 1

    def grow(self):
        with self.lock:
            self._grow()


tree = Tree()


def work():
    for _ in range(300):
        tree.grow()


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(tree.size)
