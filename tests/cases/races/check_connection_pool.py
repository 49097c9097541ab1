# expect: check-then-act Pool.idle
"""A pool of connections: looks whether one is idle, then takes it."""

import threading


class Pool:
    def __init__(self):
        self.idle = [object() for _ in range(5)]

    def get(self):
        if len(self.idle) > 0:
            return self.idle.pop()
        return object()

    def put(self, connection):
        if len(self.idle) < 10:
            self.idle.append(connection)


pool = Pool()


def work():
    for _ in range(100):
        pool.put(pool.get())


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
