# expect: lost-update Tank.level
"""The value is read by one method, changed by a function and written by another method."""

import threading


class Tank:
    def __init__(self):
        self.level = 0

    def read(self):
        return self.level

    def write(self, level):
        self.level = level


def filled(level, by):
    return level + by


tank = Tank()


def work():
    for _ in range(300):
        level = tank.read()
        tank.write(filled(level, 2))


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
