# expect: nothing
"""Readers and writer."""

import threading


class RW:
    def __init__(self):
        self.cond = threading.Condition()
        self.readers = 0

    def r_acquire(self):
        with self.cond:
            self.readers += 1

    def r_release(self):
        with self.cond:
            self.readers -= 1
            if not self.readers:
                self.cond.notify_all()

    def w_acquire(self):
        self.cond.acquire()
        while self.readers:
            self.cond.wait()

    def w_release(self):
        self.cond.release()


rw = RW()
log = threading.Lock()


def reader():
    for _ in range(50):
        rw.r_acquire()
        with log:
            pass
        rw.r_release()


def writer():
    for _ in range(50):
        rw.w_acquire()
        with log:
            pass
        rw.w_release()


ts = [threading.Thread(target=f) for f in (reader, reader, writer, writer)]
[t.start() for t in ts]
[t.join() for t in ts]
