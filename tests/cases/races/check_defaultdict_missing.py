# expect: check-then-act groups
"""Two threads find the same key of a defaultdict missing: one list is lost."""

import threading
from collections import defaultdict

groups = defaultdict(list)


def work():
    for number in range(100):
        groups[number].append(1)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
