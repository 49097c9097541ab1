# expect: nothing
"""A pipeline of three stages through priority queues and task_done/join."""

import queue
import threading

jobs = queue.PriorityQueue()
results = {}


def worker():
    while True:
        n = jobs.get()
        if n < 0:
            jobs.task_done()
            return
        results[n] = n * n
        jobs.task_done()


for n in range(200):
    jobs.put(n)
threads = [threading.Thread(target=worker) for _ in range(2)]
for t in threads:
    t.start()
jobs.join()
total = sum(results.values())
for _ in threads:
    jobs.put(-1)
for t in threads:
    t.join()
print(total)
