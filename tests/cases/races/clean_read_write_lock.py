# expect: nothing
"""A read-write lock built from a Condition."""

import threading


class ReadWriteLock:
    def __init__(self):
        self.cond = threading.Condition()
        self.readers = 0
        self.writing = False

    def read(self):
        with self.cond:
            while self.writing:
                self.cond.wait()
            self.readers += 1

    def read_done(self):
        with self.cond:
            self.readers -= 1
            if not self.readers:
                self.cond.notify_all()

    def write(self):
        with self.cond:
            while self.writing or self.readers:
                self.cond.wait()
            self.writing = True

    def write_done(self):
        with self.cond:
            self.writing = False
            self.cond.notify_all()


lock = ReadWriteLock()
table = {"n": 0}


def reader():
    for _ in range(100):
        lock.read()
        for k in table:
            hash(table[k])
        lock.read_done()


def writer():
    for i in range(100):
        lock.write()
        table["n"] += 1
        table[i] = i
        lock.write_done()


threads = [threading.Thread(target=f) for f in (reader, reader, writer)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(table["n"])
