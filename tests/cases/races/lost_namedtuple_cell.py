# expect: lost-update state
"""A namedtuple in a closure is replaced by one with a greater count."""

import threading
from collections import namedtuple

Stats = namedtuple("Stats", "count total")


def make():
    state = Stats(0, 0)

    def add(n):
        nonlocal state
        state = state._replace(count=state.count + 1, total=state.total + n)

    return add


add = make()
threads = [threading.Thread(target=lambda: [add(i) for i in range(200)]) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
