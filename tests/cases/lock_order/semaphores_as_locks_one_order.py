# expect: nothing
"""The same two semaphores, in one order."""

import threading

first, second = threading.Semaphore(1), threading.BoundedSemaphore(1)


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
    with first:
        with second:
            pass


run(one, other)
