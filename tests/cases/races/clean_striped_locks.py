# expect: nothing
"""A table with a lock for each part of its keys."""

import threading
from contextlib import contextmanager


class Table:
    def __init__(self, parts):
        self.locks = [threading.Lock() for _ in range(parts)]
        self.parts = [{} for _ in range(parts)]

    @contextmanager
    def part(self, key):
        number = hash(key) % len(self.parts)
        with self.locks[number]:
            yield self.parts[number]

    def add(self, key):
        with self.part(key) as part:
            if key not in part:
                part[key] = 0
            part[key] += 1

    def total(self):
        total = 0
        for lock, part in zip(self.locks, self.parts, strict=True):
            with lock:
                total += sum(part[key] for key in part)
        return total


table = Table(4)


def work():
    for i in range(300):
        table.add(i % 23)
        if i % 50 == 0:
            table.total()


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(table.total())
