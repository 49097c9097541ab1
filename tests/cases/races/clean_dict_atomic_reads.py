# expect: nothing
"""One thread replaces values, others read single keys with a default."""

import threading

prices = {"a": 1, "b": 2}


def feed():
    for i in range(300):
        prices["a"] = i
        prices["b"] = i * 2


def read_a():
    for _ in range(300):
        hash(prices.get("a", 0))


def read_b():
    for _ in range(300):
        hash(prices["b"])


threads = [threading.Thread(target=f) for f in (feed, read_a, read_b)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
