# expect: nothing
"""It is waited for before the other lock is taken."""

import threading

turn = threading.Lock()
turn.acquire()
state = threading.Lock()


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


def gives():
    with state:
        pass
    turn.release()


def takes():
    turn.acquire()
    with state:
        pass


run(gives, takes)
