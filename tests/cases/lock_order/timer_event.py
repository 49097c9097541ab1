# expect: nothing
"""Timer event."""

import threading, time

a, b = threading.Lock(), threading.Lock()
ev = threading.Event()


def f():
    with a, b:
        pass
    ev.set()


t = threading.Timer(0.05, f)
t.start()
assert ev.wait(10)
with b, a:
    pass
t.join()
