# expect: mutex
"""Two native mutexes in opposite order, without the GIL."""

import threading
import orderpool


def forth():
    orderpool.both(0)


def back():
    orderpool.both(1)


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


run(forth, back)
