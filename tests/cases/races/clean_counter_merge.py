# expect: nothing
"""Each thread counts on its own; the main thread adds the counts up when all are done."""

import threading
from collections import Counter

results = [None] * 3


def work(n):
    own = Counter()
    for i in range(100):
        own[i % 7] += 1
        own.update([n])
    results[n] = own


threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sum(sum(results, Counter()).values()))
