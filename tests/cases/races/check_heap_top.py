# expect: check-then-act heap
"""Looks at the top of a heap, then pops it."""

import heapq
import threading

heap = list(range(300))


def work():
    while True:
        if heap and heap[0] < 290:
            heapq.heappop(heap)
        else:
            return


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
