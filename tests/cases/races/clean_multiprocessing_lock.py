# expect: nothing
"""A lock that processes can share protects a counter of threads as well."""

import multiprocessing
import threading

total = 0
lock = multiprocessing.Lock()
again = multiprocessing.RLock()


def work():
    global total
    for i in range(300):
        with lock if i % 2 else again:
            if i % 2:
                with again:
                    total += 1
            else:
                total += 1


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
