# expect: nothing
"""Numbers from one itertools.count, each of which it gives once."""

import itertools
import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


ids = itertools.count()


class Obj:
    def __init__(self):
        self.id = next(ids)


out = []


def work():
    for _ in range(50):
        out.append(Obj().id)


run(work, each=3)
