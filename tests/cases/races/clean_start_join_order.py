# expect: nothing
"""One thread after another: start and join order everything."""

import threading


class Counter:
    n = 0


counter = Counter()
counter.n = 0


def work():
    for _ in range(100):
        counter.n += 1


for _ in range(5):
    t = threading.Thread(target=work)
    t.start()
    t.join()
    counter.n += 1
print(counter.n)
