# expect: nothing
"""A dict with item methods of its own, under a lock."""

import threading


class Checked(dict):
    def __getitem__(self, key):
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        super().__setitem__(key, int(value))


counts = Checked(k=0)
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            counts["k"] += 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
