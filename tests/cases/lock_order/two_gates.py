# expect: a b
"""Opposite order, each way under a gate of its own."""

import threading

north, south, a, b = (threading.Lock() for _ in range(4))


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
    with north:
        with a:
            with b:
                pass


def back():
    with south:
        with b:
            with a:
                pass


run(forth, back)
