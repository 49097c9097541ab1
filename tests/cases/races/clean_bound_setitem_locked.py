# expect: nothing
"""Items are read and stored by methods that are called by name, under a lock."""

import threading

counts = {"k": 0}
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            counts.__setitem__("k", counts.__getitem__("k") + 1)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
