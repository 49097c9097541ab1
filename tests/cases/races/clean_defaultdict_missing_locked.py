# expect: nothing
"""Two threads find the same key of a defaultdict missing, under a lock."""

import threading
from collections import defaultdict

groups = defaultdict(list)
lock = threading.Lock()


def work():
    for number in range(100):
        with lock:
            groups[number].append(1)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
