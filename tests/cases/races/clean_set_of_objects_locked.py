# expect: nothing
"""A set of objects is copied under a lock before it is gone over."""

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
lock = threading.Lock()


def add():
    for _ in range(20):
        with lock:
            listeners.add(K())


def loop():
    for _ in range(20):
        with lock:
            own = list(listeners)
        for x in own:
            id(x)


run(loop, add)
