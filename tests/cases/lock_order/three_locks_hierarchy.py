# expect: nothing
"""Three locks by level."""

import threading

a, b, c = threading.Lock(), threading.Lock(), threading.Lock()


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
    with a, b:
        pass


def two():
    with b, c:
        pass


def three():
    with a, c:
        pass


run(one, two, three)
