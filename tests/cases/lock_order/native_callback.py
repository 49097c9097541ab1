# expect: the GIL
"""A Python function is called with a native mutex held that is asked for with the GIL."""

import threading
import orderpool


def asks():
    orderpool.lock_with_gil()


def callback():
    return sum(range(10))


def calls():
    orderpool.call_with_lock(callback)


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
