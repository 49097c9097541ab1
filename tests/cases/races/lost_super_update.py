# expect: lost-update counts
"""A class of dict whose method reads and writes items of itself."""

import threading


class Counts(dict):
    def add(self, key):
        self[key] = self.get(key, 0) + 1


counts = Counts()


def work():
    for i in range(200):
        counts.add(i % 3)


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
