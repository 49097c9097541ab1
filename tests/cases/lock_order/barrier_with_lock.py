# expect: state
"""Barrier with lock."""

import threading, time

state = threading.Lock()
bar = threading.Barrier(2)


def one():
    with state:
        pass
    bar.wait()


def two():
    time.sleep(0.2)
    with state:
        bar.wait()


a = threading.Thread(target=one)
b = threading.Thread(target=two)
a.start()
b.start()
a.join()
b.join()
