# expect: nothing
"""A generator that all advance, wrapped in a class that takes a lock for each step."""

import threading


class Locked:
    def __init__(self, iterator):
        self.iterator = iterator
        self.lock = threading.Lock()

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            return next(self.iterator)


class Ticket:
    def __init__(self, n):
        self.n = n


def tickets():
    issued = 0
    while issued < 600:
        issued += 1
        yield Ticket(issued)


source = Locked(tickets())


def work():
    for ticket in source:
        ticket.n += 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
