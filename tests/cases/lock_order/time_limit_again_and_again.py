# expect: a b
"""A time limit that is not honoured: asked again with the first lock held."""

import threading

a, b = threading.Lock(), threading.Lock()


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
        while not b.acquire(timeout=0.5):
            pass
        b.release()


def back():
    with b:
        while not a.acquire(timeout=0.5):
            pass
        a.release()


run(forth, back)
