# expect: lost-update Peak.high
"""The greatest value seen so far is kept by max()."""

import threading


class Peak:
    def __init__(self):
        self.high = 0

    def see(self, value):
        self.high = max(self.high, value)


peak = Peak()


def work(first):
    for i in range(300):
        peak.see(first + i)


threads = [threading.Thread(target=work, args=(n,)) for n in (0, 1000)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
