# expect: nothing
"""The same by SimpleQueue, whose lock nobody sees."""

import queue
import threading


class Item:
    def __init__(self):
        self.n = 0


q = queue.SimpleQueue()


def produce():
    for i in range(300):
        item = Item()
        item.n += i
        q.put(item)
    q.put(None)


def consume():
    while (item := q.get()) is not None:
        item.n += 1


threads = [threading.Thread(target=f) for f in (produce, consume)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
