# expect: nothing
"""A lock under which nothing else is asked for."""

import threading

a, b, leaf = threading.Lock(), threading.Lock(), threading.Lock()


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


def one():
    with a:
        with leaf:
            pass
    with b:
        with leaf:
            pass


def two():
    with b:
        with leaf:
            pass
    with a:
        with leaf:
            pass


run(one, two)
