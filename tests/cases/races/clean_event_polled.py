# expect: nothing
"""The Event is polled with is_set() instead of waited for."""

import threading
import time


class Box:
    def __init__(self):
        self.value = 0


box = Box()
ready = threading.Event()


def make():
    for i in range(100):
        box.value += i
    ready.set()


def use():
    while not ready.is_set():
        time.sleep(0.001)
    for i in range(100):
        box.value += i


threads = [threading.Thread(target=f) for f in (make, use)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(box.value)
