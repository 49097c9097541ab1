# expect: nothing
"""Opposite order under a common gate lock."""

import threading

gate, a, b = threading.Lock(), threading.Lock(), threading.Lock()


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
    with gate:
        with a:
            with b:
                pass


def back():
    with gate:
        with b:
            with a:
                pass


run(forth, back)
