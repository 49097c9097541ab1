# expect: nothing
"""Every thread sends into a generator of its own."""

import threading


def average():
    total = count = 0
    value = yield 0
    while True:
        total += value
        count += 1
        value = yield total / count


def work():
    mean = average()
    next(mean)
    for i in range(100):
        mean.send(i)


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
