# expect: lost-update Source.given
"""A generator of each thread counts in one object."""

import threading


class Source:
    def __init__(self):
        self.given = 0

    def items(self):
        for i in range(100):
            self.given += 1
            yield i


source = Source()


def work():
    for _ in source.items():
        pass


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
