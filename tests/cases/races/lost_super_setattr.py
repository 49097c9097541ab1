# expect: lost-update Counter.n
"""A class with a __setattr__ of its own that passes on to super()."""

import threading


class Counter:
    def __init__(self):
        self.n = 0

    def __setattr__(self, name, value):
        super().__setattr__(name, value)


counter = Counter()


def work():
    for _ in range(100):
        counter.n = counter.n + 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
