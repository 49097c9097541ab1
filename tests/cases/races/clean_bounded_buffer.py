# expect: nothing
"""A bounded buffer: two Conditions on one lock, waits with a time limit, a close flag."""

import threading
from collections import deque


class Closed(Exception):
    pass


class Buffer:
    def __init__(self, size):
        self.lock = threading.RLock()
        self.not_full = threading.Condition(self.lock)
        self.not_empty = threading.Condition(self.lock)
        self.items = deque()
        self.size = size
        self.closed = False

    def put(self, item):
        with self.not_full:
            while len(self.items) >= self.size:
                self.not_full.wait(0.05)
            self.items.append(item)
            self.not_empty.notify()

    def get(self):
        with self.not_empty:
            while not self.items:
                if self.closed:
                    raise Closed
                self.not_empty.wait(0.05)
            item = self.items.popleft()
            self.not_full.notify()
            return item

    def close(self):
        with self.lock:
            self.closed = True
            self.not_empty.notify_all()


buffer = Buffer(3)


def produce():
    for i in range(200):
        buffer.put({"n": i})


def consume():
    try:
        while True:
            item = buffer.get()
            item["n"] += 1
    except Closed:
        pass


consumers = [threading.Thread(target=consume) for _ in range(2)]
producers = [threading.Thread(target=produce) for _ in range(2)]
for t in consumers + producers:
    t.start()
for t in producers:
    t.join()
buffer.close()
for t in consumers:
    t.join()
print("done")
