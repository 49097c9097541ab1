# expect: torn-pair Point
"""self.x, self.y = x, y"""

import threading


class Point:
    __slots__ = ("x", "y")

    def __init__(self):
        self.x, self.y = 0, 0


point = Point()


def move():
    for i in range(200):
        point.x, point.y = i, -i


def look():
    for _ in range(200):
        x, y = point.x, point.y
        x + y


threads = [threading.Thread(target=f) for f in (move, look)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
