# expect: lost-update
"""A UserDict counts its keys."""

import threading
from collections import UserDict


class Tally(UserDict):
    def hit(self, key):
        self[key] = self.get(key, 0) + 1


tally = Tally()


def work():
    for i in range(200):
        tally.hit(i % 3)


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
