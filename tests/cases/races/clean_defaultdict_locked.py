# expect: nothing
"""A defaultdict under a lock, read by [] only."""

import threading
from collections import defaultdict

lock = threading.Lock()
groups = defaultdict(list)


def fill():
    for i in range(200):
        with lock:
            groups[i % 10].append(i)


def show():
    for _ in range(50):
        with lock:
            {name: len(members) for name, members in groups.items()}
            groups["none"]


threads = [threading.Thread(target=f) for f in (fill, show)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
