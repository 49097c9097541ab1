# expect: nothing
"""A subclass of Condition counts its notifications; everything is done while it is held."""

import threading


class CountedCondition(threading.Condition):
    def __init__(self):
        super().__init__(threading.Lock())
        self.notifications = 0

    def notify(self, n=1):
        self.notifications += 1
        super().notify(n)


class Shelf:
    def __init__(self):
        self.changed = CountedCondition()
        self.items = []
        self.taken = 0

    def put(self, item):
        with self.changed:
            self.items.append(item)
            self.changed.notify()

    def take(self):
        with self.changed:
            while not self.items:
                self.changed.wait()
            self.taken += 1
            return self.items.pop()


shelf = Shelf()


def produce():
    for i in range(200):
        shelf.put(i)


def consume():
    for _ in range(200):
        shelf.take()


threads = [threading.Thread(target=f) for f in (produce, produce, consume, consume)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(shelf.taken, shelf.changed.notifications)
