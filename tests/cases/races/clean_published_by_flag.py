# expect: nothing
"""What is read only once a flag is set was stored before the flag."""

import time
import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


class Box:
    def __init__(self):
        self.items = None
        self.ready = False

    def fill(self):
        self.items = [1, 2, 3]
        self.ready = True

    def use(self):
        for _ in range(100):
            if self.ready:
                print(sum(self.items))
                return
            time.sleep(0.001)


b = Box()
run(b.use, b.fill, b.use)
