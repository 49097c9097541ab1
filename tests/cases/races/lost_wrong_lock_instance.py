# expect: lost-update Shared.total
"""Each object has a lock of its own, but the total belongs to the class."""

import threading


class Shared:
    total = 0

    def __init__(self):
        self.lock = threading.Lock()

    def work(self):
        for _ in range(200):
            with self.lock:
                Shared.total += 1


parts = [Shared(), Shared()]
threads = [threading.Thread(target=p.work) for p in parts]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
