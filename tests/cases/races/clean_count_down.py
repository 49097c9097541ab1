# expect: nothing
"""A method looks at a count after its change, and is called again: each call is whole."""

import threading


class Tasks:
    def __init__(self):
        self.mutex = threading.Lock()
        self.done = threading.Condition(self.mutex)
        self.unfinished = 0

    def add(self):
        with self.mutex:
            self.unfinished += 1

    def finish(self):
        with self.done:
            self.unfinished = self.unfinished - 1
            if self.unfinished == 0:
                self.done.notify_all()


tasks = Tasks()


def work():
    for _ in range(200):
        tasks.add()
    for _ in range(200):
        tasks.finish()


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(tasks.unfinished)
