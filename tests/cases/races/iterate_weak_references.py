# expect: iteration watchers
"""A set of weak references grows while another thread goes over it."""

import threading
import weakref


class Watcher:
    pass


kept = [Watcher() for _ in range(60)]
watchers = {weakref.ref(one) for one in kept[:20]}


def add():
    for one in kept[20:]:
        watchers.add(weakref.ref(one))


def notify():
    for _ in range(20):
        for one in watchers:
            one()


threads = [threading.Thread(target=each) for each in (notify, add)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
