# expect: nothing
"""Callers let the GIL go before they call std::call_once()."""

import threading
import orderpool


def load():
    return sum(range(10))


def first():
    orderpool.once_without_gil(load)


def second():
    orderpool.once_without_gil(load)


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
