# expect: nothing
"""Queue.join() orders what the workers did before."""

import queue
import threading

jobs = queue.Queue()
squares = {}


def work():
    while (n := jobs.get()) is not None:
        squares[n] = n * n
        jobs.task_done()


threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
for t in threads:
    t.start()
for n in range(60):
    jobs.put(n)
jobs.join()
total = 0
for n in list(squares):
    total += squares.pop(n)
print(total)
for _ in threads:
    jobs.put(None)
