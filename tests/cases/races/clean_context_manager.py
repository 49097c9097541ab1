# expect: nothing
"""A context manager of contextlib takes and gives back the lock."""

import contextlib
import threading

lock = threading.Lock()
values = {"a": 0}


@contextlib.contextmanager
def exclusive():
    lock.acquire()
    try:
        yield values
    finally:
        lock.release()


def work():
    for _ in range(200):
        with exclusive() as v:
            v["a"] += 1


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
