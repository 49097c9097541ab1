# expect: lost-update scores
"""The first item of a deque is counted up in place."""

import threading
from collections import deque

scores = deque([0, 0])


def work():
    for _ in range(200):
        scores[0] += 1


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
