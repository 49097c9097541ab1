# expect: nothing
"""A bounded stack by Condition.wait_for."""

import threading


class Stack:
    def __init__(self, most):
        self.items = []
        self.most = most
        self.changed = threading.Condition()

    def push(self, item):
        with self.changed:
            self.changed.wait_for(lambda: len(self.items) < self.most)
            self.items.append(item)
            self.changed.notify_all()

    def pop(self):
        with self.changed:
            self.changed.wait_for(lambda: self.items)
            self.changed.notify_all()
            return self.items.pop()


stack = Stack(3)


def put():
    for i in range(100):
        stack.push([i])


def take():
    for _ in range(100):
        stack.pop()[0] += 1


threads = [threading.Thread(target=f) for f in (put, take)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
