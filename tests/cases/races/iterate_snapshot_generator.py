# expect: iteration subscribers
"""A generator goes over the subscribers while others subscribe and leave."""

import threading

subscribers = {}


def each():
    for name in subscribers:
        yield name


def publish():
    for _ in range(50):
        for name in each():
            str(name)


def subscribe():
    for i in range(100):
        subscribers[i] = i
    for i in range(100):
        subscribers.pop(i, None)


threads = [threading.Thread(target=f) for f in (publish, subscribe)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
