# expect: nothing
"""A decorator takes the lock of the object around each method."""

import functools
import threading


def synchronized(method):
    @functools.wraps(method)
    def wrapper(self, *args):
        with self._lock:
            return method(self, *args)

    return wrapper


class Account:
    def __init__(self):
        self._lock = threading.RLock()
        self.balance = 0
        self.log = []

    @synchronized
    def add(self, n):
        self.balance += n
        self.note(n)

    @synchronized
    def note(self, n):
        if len(self.log) < 10:
            self.log.append(n)


account = Account()


def work():
    for i in range(200):
        account.add(i)


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
