# expect: lost-update Counter.n
"""A class whose attributes are all read by a __getattribute__ of its own."""

import threading


class Counter:
    def __init__(self):
        self.n = 0

    def __getattribute__(self, name):
        return super().__getattribute__(name)

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)


counter = Counter()


def work():
    for _ in range(100):
        counter.n += 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
