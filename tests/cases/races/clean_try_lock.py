# expect: nothing
"""A lock that is only tried; who fails leaves the counter alone."""

import threading

lock = threading.Lock()
state = {"n": 0}


def work():
    for _ in range(500):
        if lock.acquire(blocking=False):
            try:
                state["n"] += 1
            finally:
                lock.release()


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
