# expect: nothing
"""Condition of the lock."""

import threading, time

outer = threading.RLock()
cond = threading.Condition(outer)
done = False


def waiter():
    with outer:
        with cond:
            cond.wait_for(lambda: done)


def setter():
    global done
    with outer:
        with cond:
            done = True
            cond.notify_all()


s = threading.Thread(target=setter)
w = threading.Thread(target=waiter)
w.start()
time.sleep(0.2)
s.start()
s.join()
w.join()
