# expect: iteration
"""A WeakSet grows while another thread goes over it."""

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


ws = weakref.WeakSet()
keep = [K() for _ in range(60)]
for k in keep[:20]:
    ws.add(k)


def add():
    for k in keep[20:]:
        ws.add(k)


def loop():
    for _ in range(20):
        for x in ws:
            id(x)


run(loop, add)
