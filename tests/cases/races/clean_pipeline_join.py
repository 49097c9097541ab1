# expect: nothing
"""Stages pass one object on by queues; the main thread goes on after Queue.join()."""

import queue
import threading


class Item:
    def __init__(self, n):
        self.n = n
        self.steps = []


first, second = queue.Queue(4), queue.LifoQueue()
finished = []


def prepare():
    while (item := first.get()) is not None:
        item.n += 1
        item.steps.append("prepared")
        second.put(item)
        first.task_done()
    first.task_done()


def finish():
    while True:
        item = second.get()
        item.n *= 2
        item.steps.append("finished")
        finished.append(item)
        second.task_done()


threads = [threading.Thread(target=f, daemon=True) for f in (prepare, finish, finish)]
for t in threads:
    t.start()
for n in range(200):
    first.put(Item(n))
first.put(None)
first.join()
second.join()
for item in finished:
    item.n += len(item.steps)
finished.clear()
print("done")
