# expect: outer
"""Predicate with lock."""

import threading, time

outer = threading.RLock()
cond = threading.Condition(threading.Lock())
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
s.start()
time.sleep(0.2)
w = threading.Thread(target=waiter)
w.start()
s.join()
w.join()
