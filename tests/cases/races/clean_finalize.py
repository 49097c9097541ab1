# expect: nothing
"""Finalizers are made by several threads: the library keeps them as it likes."""

import weakref
import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


class Thing:
    pass


def work():
    for _ in range(50):
        t = Thing()
        f = weakref.finalize(t, int)
        g = weakref.finalize(t, len, "x")
        g.detach()
        f.alive
        del t


run(work, each=3)
