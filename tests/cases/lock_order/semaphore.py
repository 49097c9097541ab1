# expect: pool state
"""A semaphore and a lock in opposite order."""

import threading

state = threading.Lock()
pool = threading.Semaphore(1)


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


def forth():
    with pool:
        with state:
            pass


def back():
    with state:
        with pool:
            pass


run(forth, back)
