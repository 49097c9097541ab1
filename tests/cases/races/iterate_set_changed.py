# expect: iteration clients
"""A set is iterated over while another thread changes it."""

import threading

clients = set(range(300))


def broadcast():
    for _ in range(50):
        try:
            for c in clients:
                hash(c)
        except RuntimeError:
            pass


def churn():
    for i in range(1000):
        clients.add(1000 + i)
        clients.discard(i)


threads = [threading.Thread(target=f) for f in (broadcast, churn)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
