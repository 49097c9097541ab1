# expect: nothing
"""Try only."""

import threading, time

a, b = threading.Lock(), threading.Lock()


def f():
    with a:
        if b.acquire(False):
            b.release()


def g():
    with b:
        with a:
            pass


x = threading.Thread(target=f)
y = threading.Thread(target=g)
x.start()
time.sleep(0.2)
y.start()
x.join()
y.join()
