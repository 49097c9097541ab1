# expect: nothing
"""A result is published by an Event and changed by its reader then."""

import threading


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
    ready.wait()
    for i in range(100):
        box.value += i


threads = [threading.Thread(target=f) for f in (make, use)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(box.value)
