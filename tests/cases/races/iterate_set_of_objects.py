# expect: iteration listeners
"""A set of objects grows while another thread goes over it."""

import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


class K:
    pass


listeners = {K() for _ in range(10)}


def add():
    for _ in range(20):
        listeners.add(K())


def loop():
    for _ in range(20):
        for x in listeners:
            id(x)


run(loop, add)
