# expect: nothing
"""An item is stored by a keyword of update(), under a lock."""

import threading

counts = {"k": 0}
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            counts.update(k=counts["k"] + 1)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
