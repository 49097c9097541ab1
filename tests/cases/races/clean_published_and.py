# expect: nothing
"""A flag and what it publishes are read by one expression."""

import time
import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


class Job:
    def __init__(self):
        self.value = []
        self.ok = False

    def fill(self):
        self.value = [3]
        self.ok = True

    def look(self):
        for _ in range(30):
            n = len(self.value) if self.ok else 0
            m = self.ok and self.value
            time.sleep(0.001)


j = Job()
run(j.look, j.fill, j.look)
