# expect: iteration numbers
"""Threads take numbers from one generator by a method that calls next()."""

import threading


def count_up():
    number = 0
    while True:
        yield number
        number += 1


class Tickets:
    def __init__(self):
        self.numbers = count_up()

    def take(self):
        return next(self.numbers)


tickets = Tickets()


def work():
    for _ in range(300):
        try:
            tickets.take()
        except (ValueError, StopIteration):
            pass


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
