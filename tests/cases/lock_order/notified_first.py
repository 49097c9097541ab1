# expect: nothing
"""Notified first."""

import threading, time

a, b = threading.Lock(), threading.Lock()
c = threading.Condition()
ok = False


def f():
    global ok
    with a, b:
        pass
    with c:
        ok = True
        c.notify()


def g():
    with c:
        while not ok:
            c.wait()
    with b, a:
        pass


x = threading.Thread(target=f)
y = threading.Thread(target=g)
x.start()
time.sleep(0.2)
y.start()
x.join()
y.join()
