# expect: iteration groups
"""A defaultdict grows by reading while another thread sums it up."""

import threading
from collections import defaultdict

groups = defaultdict(list)


def fill():
    for i in range(200):
        groups[i].append(i)


def total():
    for _ in range(20):
        for _, members in groups.items():
            len(members)


def guarded():
    try:
        total()
    except RuntimeError:
        pass


threads = [threading.Thread(target=f) for f in (fill, guarded)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
