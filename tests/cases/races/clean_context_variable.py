# expect: nothing
"""Each thread has an object of its own in a context variable."""

import contextvars
import threading

current = contextvars.ContextVar("current")


class Request:
    def __init__(self):
        self.steps = 0
        self.seen = {}


def step(i):
    request = current.get()
    request.steps += 1
    if i not in request.seen:
        request.seen[i] = request.steps


def work():
    current.set(Request())
    for i in range(200):
        step(i)


def in_context():
    contextvars.copy_context().run(work)


threads = [threading.Thread(target=f) for f in (work, in_context, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
