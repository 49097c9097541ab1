# expect: table(_object*)::made the GIL
"""A static of a C++ function is initialised by Python code, for callers that have the GIL."""

import threading
import orderpool


def load():
    return sum(range(10))


def first():
    orderpool.static_with_gil(load)


def second():
    orderpool.static_with_gil(load)


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


run(first, second)
