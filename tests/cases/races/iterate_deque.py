# expect: iteration recent
"""A deque of recent events is shown while another thread appends."""

import threading
from collections import deque

recent = deque(range(200), maxlen=1000)


def show():
    for _ in range(20):
        try:
            for event in recent:
                hash(event)
        except RuntimeError:
            pass


def record():
    for i in range(800):
        recent.append(i)


threads = [threading.Thread(target=f) for f in (show, record)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
