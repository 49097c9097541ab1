# expect: check-then-act Pool.items
"""A pool's size is checked before an item is added, in a helper."""

import threading


class Pool:
    def __init__(self):
        self.items = []

    def full(self):
        return len(self.items) >= 50

    def put(self, item):
        if not self.full():
            self.items.append(item)


pool = Pool()


def work(n):
    for i in range(200):
        pool.put((n, i))


threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
