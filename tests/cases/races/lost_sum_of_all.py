# expect: lost-update values
"""An item becomes the sum of all."""

import threading

values = [1, 2]


def work():
    for _ in range(100):
        values[0] = sum(values) % 1000


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
