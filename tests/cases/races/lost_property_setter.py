# expect: lost-update Gauge._level
"""A property is raised from two threads; the getter and the setter are code."""

import threading


class Gauge:
    def __init__(self):
        self._level = 0

    @property
    def level(self):
        return self._level

    @level.setter
    def level(self, value):
        if value < 0:
            raise ValueError(value)
        self._level = value


gauge = Gauge()


def work():
    for _ in range(200):
        gauge.level += 1


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
