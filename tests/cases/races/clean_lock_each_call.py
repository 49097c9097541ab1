# expect: nothing
"""Each call of a function holds the lock; a value that one call reads, a later call replaces."""

import threading


class Group:
    def __init__(self):
        self.lock = threading.RLock()
        self.paths = {0: "a", 1: "b"}

    def on_event(self, number, moved):
        with self.lock:
            path = self.paths.get(number)
            if path is None:
                return
            if moved:
                self.paths[1 - number] = path

    def add(self, number):
        with self.lock:
            self.paths[number] = "new"


group = Group()


def events():
    for i in range(200):
        for number in (1, 0):
            group.on_event(number, moved=i % 2 and number == 0)


def additions():
    for i in range(200):
        group.add(i % 2)


threads = [threading.Thread(target=work) for work in (events, additions)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
