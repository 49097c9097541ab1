# expect: lost-update Gauge._level
"""A property stands before a slot; `+=` reads by its getter and writes by its setter."""

import threading


class Gauge:
    __slots__ = ("_level",)

    def __init__(self):
        self._level = 0

    @property
    def level(self):
        return self._level

    @level.setter
    def level(self, value):
        self._level = value


gauge = Gauge()


def work():
    for _ in range(300):
        gauge.level += 1


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
