# expect: lost-update sums
"""array.array of sums, callbacks of a Timer."""

import threading
from array import array

sums = array("d", [0.0] * 4)


def add(k):
    for i in range(100):
        sums[i % 4] += k


timers = [threading.Timer(0.01, add, (k,)) for k in (1.0, 2.0)]
for t in timers:
    t.start()
for t in timers:
    t.join()
print("done")
