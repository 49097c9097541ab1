# expect: nothing
"""Who takes a job out of the table, under the lock, owns it and changes it without."""

import threading


class Job:
    def __init__(self, n):
        self.n = n
        self.state = 0


jobs = {n: Job(n) for n in range(300)}
lock = threading.Lock()


def work():
    while True:
        with lock:
            if not jobs:
                return
            _, job = jobs.popitem()
        job.state += 1
        job.n += job.state


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
