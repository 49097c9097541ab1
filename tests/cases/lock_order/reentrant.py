# expect: nothing
"""An RLock is taken again by its holder."""

import threading

a, b = threading.RLock(), threading.Lock()


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


def inner():
    with a:
        with b:
            pass


def outer():
    with a:
        with b:
            with a:
                pass
            inner_again()


def inner_again():
    with a:
        pass


run(inner, outer)
