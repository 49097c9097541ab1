# expect: m n
"""Acquire by method."""

import threading, time

m = threading.Lock()
n = threading.Lock()


def f():
    m.acquire()
    try:
        n.acquire()
        n.release()
    finally:
        m.release()


def g():
    if n.acquire(True):
        m.acquire(timeout=-1)
        m.release()
        n.release()


a = threading.Thread(target=f)
b = threading.Thread(target=g)
a.start()
time.sleep(0.2)
b.start()
a.join()
b.join()
