# expect: the GIL
"""A native mutex is asked for with the GIL, and the GIL with the mutex."""

import threading
import orderpool


def asks():
    orderpool.lock_with_gil()


def calls():
    orderpool.gil_with_lock()


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


run(asks, calls)
