# expect: check-then-act
"""A mutable default argument is a cache."""

import threading


def square(n, known={}):  # noqa: B006
    if n not in known:
        known[n] = n * n
    return known[n]


def work():
    for i in range(100):
        square(i)


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
