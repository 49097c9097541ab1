# expect: check-then-act idle
"""A connection is taken from the pool if there is one: a conditional expression."""

import threading

idle = [object() for _ in range(50)]


def take():
    return idle.pop() if idle else object()


def work():
    for _ in range(100):
        connection = take()
        idle.append(connection)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
