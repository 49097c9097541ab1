# expect: lost-update cells
"""An augmented assignment of a list's item."""

import threading

cells = [0, 0]


def work():
    for _ in range(1000):
        cells[0] += 1


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
