# expect: lost-update counts
"""An item is stored by a keyword of update()."""

import threading

counts = {"k": 0}


def work():
    for _ in range(100):
        counts.update(k=counts["k"] + 1)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
