# expect: torn-pair Window
"""start and stop are moved together; a third thread reads both in one expression."""

import threading


class Window:
    __slots__ = ("start", "stop")

    def __init__(self):
        self.start = 0
        self.stop = 10

    def move(self, by):
        self.start += by
        self.stop += by

    def size(self):
        return self.stop - self.start


window = Window()


def slide():
    for _ in range(300):
        window.move(1)


def look():
    for _ in range(300):
        window.size()


threads = [threading.Thread(target=f) for f in (slide, look)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
