# expect: nothing
"""Barrier orders."""

import threading, time

state = threading.Lock()
bar = threading.Barrier(2)
p, q = threading.Lock(), threading.Lock()


def one():
    with p, q:
        pass
    bar.wait()


def two():
    bar.wait()
    with q, p:
        pass


a = threading.Thread(target=one)
b = threading.Thread(target=two)
a.start()
b.start()
a.join()
b.join()
