# expect: nothing
"""A semaphore of one guards the counter."""

import threading

gate = threading.Semaphore(1)
counts = {"n": 0}


def work():
    for _ in range(300):
        with gate:
            counts["n"] += 1


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(counts["n"])
