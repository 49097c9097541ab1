# expect: a b
"""Main thread."""

import threading, time

a, b = threading.Lock(), threading.Lock()


def f():
    with a:
        with b:
            pass


t = threading.Thread(target=f)
t.start()
time.sleep(0.2)
with b:
    with a:
        pass
t.join()
