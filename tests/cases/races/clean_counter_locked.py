# expect: nothing
"""Counter.update and most_common under one lock."""

import threading
from collections import Counter

words = Counter()
lock = threading.Lock()


def count():
    for i in range(100):
        with lock:
            words.update(["a", "b"] if i % 2 else ["c"])
            words.subtract(["a"])


def show():
    for _ in range(50):
        with lock:
            words.most_common(2)
            words.total()


threads = [threading.Thread(target=f) for f in (count, show)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
