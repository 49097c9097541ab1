# expect: lost-update stats
"""An augmented assignment of a dict's item."""

import threading

stats = {"hits": 0}


def work():
    for _ in range(1000):
        stats["hits"] += 1


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
