# expect: nothing
"""Objects come back through a LifoQueue and are changed by the main thread."""

import queue
import threading

work_items, results = queue.Queue(), queue.LifoQueue()


class Item:
    def __init__(self, n):
        self.n = n
        self.parts = []


def work():
    while (item := work_items.get()) is not None:
        for i in range(5):
            item.parts.append(i)
            item.n += i
        results.put(item)


for n in range(60):
    work_items.put(Item(n))
for _ in range(2):
    work_items.put(None)
threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
while not results.empty():
    item = results.get()
    item.n += len(item.parts)
    item.parts.clear()
