# expect: nothing
"""An item becomes the sum of all, under a lock."""

import threading

values = [1, 2]
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            values[0] = sum(values) % 1000


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
