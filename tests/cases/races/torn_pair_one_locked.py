# expect: torn-pair Position
"""The writer takes the lock for both coordinates, the reader does not."""

import threading


class Position:
    def __init__(self):
        self.lock = threading.Lock()
        self.x, self.y = 0, 0

    def move(self, x, y):
        with self.lock:
            self.x, self.y = x, y

    def where(self):
        return self.x, self.y


position = Position()


def drive():
    for i in range(500):
        position.move(i, -i)


def watch():
    for _ in range(500):
        x, y = position.where()
        hash(x + y)


threads = [threading.Thread(target=f) for f in (drive, watch)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
