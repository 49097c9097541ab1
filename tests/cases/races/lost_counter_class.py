# expect: lost-update totals
"""A collections.Counter that two threads add to by update()."""

import threading
from collections import Counter

totals = Counter()


def work():
    for i in range(300):
        totals.update([i % 3])


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
