# expect: nothing
"""Two buffers are exchanged between the phases, by one thread at a barrier."""

import threading

current, following = [0] * 4, [0] * 4
barrier = threading.Barrier(4)


def worker(index):
    def work():
        global current, following
        for _ in range(30):
            following[index] = current[index - 1] + 1
            barrier.wait()
            if index == 0:
                current, following = following, current
            barrier.wait()

    return work


threads = [threading.Thread(target=f) for f in (worker(0), worker(1), worker(2), worker(3))]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
