# expect: nothing
"""Interning by a WeakValueDictionary under a lock; the values die outside of it."""

import threading
import weakref

lock = threading.Lock()
known = weakref.WeakValueDictionary()


class Symbol:
    def __init__(self, name):
        self.name = name


def intern(name):
    with lock:
        found = known.get(name)
        if found is None:
            found = known[name] = Symbol(name)
        return found


def work():
    for i in range(200):
        intern(i % 10).name
        if i % 20 == 0:
            with lock:
                sorted(known.keys())


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
