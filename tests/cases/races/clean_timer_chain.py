# expect: nothing
"""Timers, each of which starts the next one."""

import threading

ticks = 0
over = threading.Event()


def tick():
    global ticks
    ticks += 1
    if ticks == 10:
        over.set()
    else:
        threading.Timer(0.001, tick).start()


threading.Timer(0.001, tick).start()
over.wait()
print(ticks)
