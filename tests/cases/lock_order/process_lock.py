# expect: first second
"""A lock that processes share and one of threads are taken in opposite order."""

import multiprocessing
import threading

first, second = multiprocessing.RLock(), threading.Lock()


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


def one():
    with first:
        with second:
            pass


def other():
    with second:
        with first:
            pass


run(one, other)
