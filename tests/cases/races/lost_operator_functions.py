# expect: lost-update counts
"""Items are read and stored by functions of operator."""

import operator
import threading

counts = {"k": 0}


def work():
    for _ in range(100):
        operator.setitem(counts, "k", operator.getitem(counts, "k") + 1)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
