# expect: lost-update Point.x
"""An attribute in __slots__ is added to by two threads."""

import threading


class Point:
    __slots__ = ("x",)

    def __init__(self):
        self.x = 0


point = Point()


def work():
    for _ in range(1000):
        point.x = point.x + 1


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
