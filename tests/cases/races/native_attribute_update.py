# expect: lost-update Box.n
"""A C function adds to an attribute, beside Python code that does the same."""

import threading

import racepool


class Box:
    def __init__(self):
        self.n = 0


box = Box()


def by_native():
    for _ in range(500):
        racepool.grow(box, "n")


def by_python():
    for _ in range(500):
        box.n += 1


threads = [threading.Thread(target=f) for f in (by_native, by_python)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
