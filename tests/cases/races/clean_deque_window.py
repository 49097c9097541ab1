# expect: nothing
"""A deque of greatest length gets its items by append alone; a lock guards the index."""

import threading
from collections import deque

recent = deque([0, 0], maxlen=10)
lock = threading.Lock()


def work():
    for i in range(100):
        with lock:
            recent[0] += 1
            recent[-1] = i


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
