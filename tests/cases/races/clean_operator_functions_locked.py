# expect: nothing
"""Items are read and stored by functions of operator, under a lock."""

import operator
import threading

counts = {"k": 0}
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            operator.setitem(counts, "k", operator.getitem(counts, "k") + 1)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
