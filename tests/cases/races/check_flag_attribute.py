# expect: check-then-act Task.started
"""A task is to start once: the flag is tested and set."""

import threading


class Task:
    def __init__(self):
        self.started = False
        self.runs = []

    def start(self):
        if not self.started:
            self.started = True
            self.runs.append(1)


tasks = [Task() for _ in range(100)]


def work():
    for task in tasks:
        task.start()


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
