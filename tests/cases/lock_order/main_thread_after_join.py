# expect: nothing
"""Main thread after join."""

import threading, time

a, b = threading.Lock(), threading.Lock()


def f():
    with a:
        with b:
            pass


t = threading.Thread(target=f)
t.start()
t.join()
with b:
    with a:
        pass
