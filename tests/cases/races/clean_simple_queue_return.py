# expect: nothing
"""A job goes to a worker by a SimpleQueue and comes back by another one; each changes it in turn."""

import queue
import threading


class Job:
    def __init__(self, number):
        self.number = number
        self.steps = 0
        self.notes = {}


todo, done = queue.SimpleQueue(), queue.SimpleQueue()


def work():
    while (job := todo.get()) is not None:
        job.steps += 1
        if "worker" not in job.notes:
            job.notes["worker"] = job.number
        done.put(job)


workers = [threading.Thread(target=work) for _ in range(2)]
for t in workers:
    t.start()
for i in range(200):
    job = Job(i)
    job.steps += 1
    todo.put(job)
finished = []
for _ in range(200):
    job = done.get()
    job.steps += 1
    job.notes["collected"] = True
    finished.append(job)
for _ in workers:
    todo.put(None)
for t in workers:
    t.join()
print(sum(job.steps for job in finished))
