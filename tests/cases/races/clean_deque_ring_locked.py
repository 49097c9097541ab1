# expect: nothing
"""A ring buffer in a deque, by place, under a lock."""

import threading
from collections import deque

ring = deque([0] * 8)
lock = threading.RLock()


def work():
    for i in range(200):
        with lock:
            ring.rotate(1)
            ring[0] += ring[-1] + i
            ring[3] = max(ring)


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
