# expect: a b
"""The gate is given back before the second lock is asked for."""

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
    gate.acquire()
    a.acquire()
    gate.release()
    with b:
        a.release()


def back():
    gate.acquire()
    b.acquire()
    gate.release()
    with a:
        b.release()


run(forth, back)
