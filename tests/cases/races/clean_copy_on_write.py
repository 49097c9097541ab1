# expect: nothing
"""Handlers are replaced as a whole under a lock; who calls them reads the tuple once."""

import threading


class Signal:
    def __init__(self):
        self.lock = threading.Lock()
        self.handlers = ()

    def connect(self, handler):
        with self.lock:
            self.handlers = (*self.handlers, handler)

    def disconnect(self, handler):
        with self.lock:
            if handler in self.handlers:
                self.handlers = tuple(h for h in self.handlers if h is not handler)

    def send(self, value):
        for handler in self.handlers:
            handler(value)


signal = Signal()


def change():
    for _ in range(100):
        handler = [].append
        signal.connect(handler)
        signal.disconnect(handler)


def send():
    for i in range(200):
        signal.send(i)


threads = [threading.Thread(target=f) for f in (change, change, send, send)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
