# expect: lost-update Counter.n
"""Each thread holds a lock, but not the same one."""

import threading


class Counter:
    def __init__(self):
        self.n = 0


counter = Counter()
first = threading.Lock()
second = threading.Lock()


def work(lock):
    for _ in range(500):
        with lock:
            counter.n += 1


threads = [threading.Thread(target=work, args=(lock,)) for lock in (first, second)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
