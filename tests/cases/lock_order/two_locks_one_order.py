# expect: nothing
"""Two locks in one order."""

import threading

a = threading.Lock()
b = threading.Lock()


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
        with b:
            pass


def again():
    with a, b:
        pass


run(forth, again)
