# expect: lock
"""Parent and child."""

import threading, time


class Base:
    def __init__(self):
        self.lock = threading.RLock()


class Parent(Base):
    def __init__(self):
        super().__init__()
        self.kids = []

    def update(self):
        with self.lock:
            for k in self.kids:
                k.refresh()

    def note(self):
        with self.lock:
            pass


class Kid(Base):
    def __init__(self, p):
        super().__init__()
        self.p = p
        p.kids.append(self)

    def refresh(self):
        with self.lock:
            pass

    def changed(self):
        with self.lock:
            self.p.note()


p = Parent()
k = Kid(p)
x = threading.Thread(target=p.update)
y = threading.Thread(target=k.changed)
x.start()
time.sleep(0.2)
y.start()
x.join()
y.join()
