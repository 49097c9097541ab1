# expect: nothing
"""Locks that an ExitStack holds."""

import contextlib
import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


locks = [threading.Lock() for _ in range(4)]
cells = [[0] for _ in range(4)]


def work():
    for i in range(30):
        with contextlib.ExitStack() as st:
            for l in locks:
                st.enter_context(l)
            for c in cells:
                c[0] += 1


run(work, each=3)
