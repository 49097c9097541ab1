# expect: nothing
"""Each thread reads and fills its own key of a defaultdict."""

import threading
from collections import defaultdict

groups = defaultdict(list)


def work(n):
    for i in range(100):
        groups[n].append(i)


threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sum(len(g) for g in groups.values()))
