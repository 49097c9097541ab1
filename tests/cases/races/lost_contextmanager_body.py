# expect: lost-update active
"""A context manager counts up and down without a lock."""

import contextlib
import threading

active = 0


@contextlib.contextmanager
def session():
    global active
    active += 1
    try:
        yield
    finally:
        active -= 1


def work():
    for _ in range(100):
        with session():
            pass


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
