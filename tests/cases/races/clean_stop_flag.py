# expect: nothing
"""A stop flag is written once and polled: no more than a publication."""

import threading
import time


class Worker:
    def __init__(self):
        self.stop = False
        self.rounds = 0

    def run(self):
        while not self.stop:
            self.rounds += 1
            time.sleep(0.0005)


worker = Worker()
t = threading.Thread(target=worker.run)
t.start()
time.sleep(0.02)
worker.stop = True
t.join()
print("done")
