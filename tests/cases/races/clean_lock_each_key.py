# expect: nothing
"""A lock for each key, from setdefault."""

import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


locks = {}
data = {}


def work():
    for i in range(60):
        k = i % 5
        with locks.setdefault(k, threading.Lock()):
            data[k] = data.get(k, 0) + 1


run(work, each=3)
