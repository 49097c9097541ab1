# expect: nothing
"""The second lock is tried; the first one is given back."""

import threading
import time

a, b = threading.Lock(), threading.Lock()


def both(first, second):
    while True:
        with first:
            if second.acquire(blocking=False):
                second.release()
                return
        time.sleep(0.001)


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
    both(a, b)


def back():
    both(b, a)


run(forth, back)
