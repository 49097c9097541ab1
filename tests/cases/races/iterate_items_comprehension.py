# expect: iteration prices
"""A dict comprehension goes over the items of a dict that another thread adds to."""

import threading


class Shop:
    def __init__(self):
        self.prices = {f"first {i}": i for i in range(300)}

    def cheap(self):
        return {name: price for name, price in self.prices.items() if price < 100}

    def offer(self, name, price):
        self.prices[name] = price


shop = Shop()


def look():
    for _ in range(30):
        try:
            shop.cheap()
        except RuntimeError:
            pass


def fill():
    for i in range(300):
        shop.offer(f"more {i}", i)


threads = [threading.Thread(target=f) for f in (look, fill)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
