# expect: iteration listeners
"""A list of listeners is iterated over while another thread removes from it."""

import threading

listeners = list(range(500))


def notify():
    for _ in range(50):
        for listener in listeners:
            hash(listener)


def unsubscribe():
    for i in range(0, 500, 2):
        listeners.remove(i)


threads = [threading.Thread(target=f) for f in (notify, unsubscribe)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
