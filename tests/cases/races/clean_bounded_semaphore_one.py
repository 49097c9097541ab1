# expect: nothing
"""A BoundedSemaphore of one as a mutex."""

import threading

gate = threading.BoundedSemaphore(1)
names = {}


def work():
    for i in range(200):
        with gate:
            if i not in names:
                names[i] = 0
            names[i] += 1


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
