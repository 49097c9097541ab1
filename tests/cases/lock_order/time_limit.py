# expect: nothing
"""The second lock is asked for with a time limit, and the first one given back."""

import threading

a, b = threading.Lock(), threading.Lock()


def both(first, second):
    with first:
        if not second.acquire(timeout=0.5):
            return False
        second.release()
    return True


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
