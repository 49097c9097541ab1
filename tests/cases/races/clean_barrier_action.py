# expect: nothing
"""Two buffers change places in the action of a barrier; each thread writes its own item."""

import threading

COUNT = 3


class Grid:
    def __init__(self):
        self.now = [1] * COUNT
        self.next = [0] * COUNT
        self.round = 0

    def swap(self):
        self.now, self.next = self.next, self.now
        self.round += 1


grid = Grid()
barrier = threading.Barrier(COUNT, action=grid.swap)


def work(i):
    for _ in range(50):
        left, right = grid.now[i - 1], grid.now[(i + 1) % COUNT]
        grid.next[i] = (left + right) % 1000
        barrier.wait()


threads = [threading.Thread(target=work, args=(i,)) for i in range(COUNT)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(grid.round)
