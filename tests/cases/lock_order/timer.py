# expect: a b
"""Timer."""

import threading, time

a, b = threading.Lock(), threading.Lock()


def f():
    with a, b:
        pass


t = threading.Timer(0.05, f)
t.start()
time.sleep(0.3)
with b, a:
    pass
t.join()
