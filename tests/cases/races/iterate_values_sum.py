# expect: iteration stock
"""sum() over the values of a dict that grows."""

import threading

stock = {n: n for n in range(50)}


def grow():
    for n in range(50, 400):
        stock[n] = n


def total():
    for _ in range(50):
        try:
            sum(v for v in stock.values())
        except RuntimeError:
            pass


threads = [threading.Thread(target=f) for f in (grow, total)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
