# expect: iteration listeners
"""A dict whose keys are objects grows while another thread goes over it."""

import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


class K:
    pass


listeners = {K(): 1 for _ in range(10)}


def add():
    for _ in range(20):
        listeners[K()] = 2


def loop():
    for _ in range(20):
        for x, y in listeners.items():
            id(x)


run(loop, add)
