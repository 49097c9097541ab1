# expect: nothing
"""A pool of connections with a Condition: wait while there is none, then take one."""

import threading


class Pool:
    def __init__(self, size):
        self.free = [{"used": 0} for _ in range(size)]
        self.changed = threading.Condition()

    def take(self):
        with self.changed:
            while not self.free:
                self.changed.wait()
            return self.free.pop()

    def give(self, connection):
        with self.changed:
            self.free.append(connection)
            self.changed.notify()


pool = Pool(2)


def work():
    for _ in range(60):
        connection = pool.take()
        connection["used"] += 1
        pool.give(connection)


threads = [threading.Thread(target=f) for f in (work, work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
