# expect: lost-update Meter.ticks
"""A timer's thread and the main thread add to one attribute."""

import threading


class Meter:
    def __init__(self):
        self.ticks = 0


meter = Meter()


def tick():
    for _ in range(300):
        meter.ticks += 1


timer = threading.Timer(0.0, tick)
timer.start()
for _ in range(300):
    meter.ticks += 1
timer.join()
print("done")
