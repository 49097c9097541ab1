# expect: mutex state
"""A native mutex and a Python lock in opposite order."""

import threading
import orderpool


state = threading.Lock()


def locks():
    with state:
        return 1


def forth():
    orderpool.call_with_third(locks)


def back():
    with state:
        orderpool.third_without_gil()


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


run(forth, back)
