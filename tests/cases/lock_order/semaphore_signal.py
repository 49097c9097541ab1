# expect: nothing
"""Semaphore signal."""

import threading, time

a, b = threading.Lock(), threading.Lock()
s = threading.Semaphore(0)


def f():
    with a, b:
        pass
    s.release()


def g():
    s.acquire()
    with b, a:
        pass


x = threading.Thread(target=f)
y = threading.Thread(target=g)
x.start()
y.start()
x.join()
y.join()
