# expect: nothing
"""Each thread writes its own items of a shared list; the main thread adds them up after join."""

import threading

sums = [0] * 4


def worker(index):
    def work():
        for i in range(200):
            sums[index] += i

    return work


threads = [threading.Thread(target=f) for f in (worker(0), worker(1), worker(2), worker(3))]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
print(sum(sums))
