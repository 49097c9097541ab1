# expect: nothing
"""Threads come and go in phases over the same objects, each joined before the next is begun."""

import threading


class Cell:
    def __init__(self):
        self.value = 0
        self.history = []


cells = [Cell() for _ in range(8)]


def add(part):
    for cell in part:
        cell.value += 1
        cell.history.append(cell.value)


for shift in range(6):
    turned = cells[shift:] + cells[:shift]
    threads = [threading.Thread(target=add, args=(turned[i::3],)) for i in range(3)]
    for t in threads:
        t.start()
    for t in reversed(threads):
        while t.is_alive():
            t.join(0.01)
    cells.reverse()
print(sum(c.value for c in cells))
