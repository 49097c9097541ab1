# expect: nothing
"""A dict is changed under a lock; its copy, made under the lock, is iterated over without."""

import threading

clients = {}
lock = threading.Lock()


def churn():
    for i in range(300):
        with lock:
            clients[i] = i
            clients.pop(i - 10, None)


def broadcast():
    for _ in range(100):
        with lock:
            copy = list(clients.values())
        for c in copy:
            hash(c)


threads = [threading.Thread(target=f) for f in (churn, broadcast)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
