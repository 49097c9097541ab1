# expect: nothing
"""Short-lived objects of two threads share addresses one after the other, and nothing else."""

import threading


class Item:
    def __init__(self):
        self.n = 0


def work():
    for i in range(2000):
        item = Item()
        item.n += i
        d = {}
        d["k"] = 0
        d["k"] += 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
