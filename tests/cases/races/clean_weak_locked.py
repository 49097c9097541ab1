# expect: nothing
"""Weak containers under a lock."""

import weakref
import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


class K:
    pass


keys = [K() for _ in range(20)]
wk = weakref.WeakKeyDictionary()
wv = weakref.WeakValueDictionary()
ws = weakref.WeakSet()
lock = threading.Lock()


def work():
    for k in keys:
        with lock:
            wk[k] = wk.get(k, 0) + 1
            if "x" not in wv:
                wv["x"] = k
            ws.add(k)
            for y in ws:
                y


run(work, each=3)
