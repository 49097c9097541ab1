# expect: check-then-act Holder.ref
"""A weak reference that is dead is replaced."""

import threading
import weakref


class Thing:
    pass


class Holder:
    def __init__(self):
        self.ref = None

    def get(self):
        thing = self.ref() if self.ref is not None else None
        if thing is None:
            thing = Thing()
            self.ref = weakref.ref(thing)
        return thing


holder = Holder()


def work():
    for _ in range(100):
        holder.get()


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
