# expect: torn-pair Range
"""Two bounds are set one after the other; a reader needs both of one time."""

import threading


class Range:
    def __init__(self):
        self.low = 0
        self.high = 0

    def move(self, by):
        self.low = by
        self.high = by + 10

    def width(self):
        return self.high - self.low


window = Range()


def writer():
    for i in range(200):
        window.move(i)


def reader():
    for _ in range(200):
        window.width()


threads = [threading.Thread(target=f) for f in (writer, reader)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
