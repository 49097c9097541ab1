# expect: nothing
"""Workers end when the queue is shut down; totals are their own until they return."""

import queue
import threading

tasks = queue.Queue()
totals = {}


def worker(name):
    def work():
        mine = 0
        while True:
            try:
                mine += tasks.get()
            except queue.ShutDown:
                break
        totals[name] = mine

    return work


for n in range(200):
    tasks.put(n)
tasks.shutdown()
threads = [threading.Thread(target=f) for f in (worker("a"), worker("b"))]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
print(sum(totals.values()))
