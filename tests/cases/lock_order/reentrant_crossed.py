# expect: a b
"""RLocks in opposite order."""

import threading

a, b = threading.RLock(), threading.RLock()


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
    with a:
        with a:
            with b:
                pass


def back():
    with b:
        with a:
            pass


run(forth, back)
