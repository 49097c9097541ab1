# expect: lost-update total
"""functools.partial is called by threads of _thread."""

import _thread
import functools
import threading

total = {"n": 0}


def add(where, amount, over):
    for _ in range(100):
        where["n"] += amount
    over.release()


locks = [threading.Semaphore(0) for _ in range(2)]
for lock in locks:
    _thread.start_new_thread(functools.partial(add, total, 2), (lock,))
for lock in locks:
    lock.acquire()
print("done")
