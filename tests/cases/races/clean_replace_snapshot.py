# expect: nothing
"""The list of handlers is replaced as a whole under a lock, and gone over without."""

import threading

lock = threading.Lock()
handlers = ()


def add(handler):
    global handlers
    with lock:
        handlers = (*handlers, handler)


def fire():
    for _ in range(50):
        for handler in handlers:
            handler()


def register():
    for _ in range(50):
        add(lambda: None)


threads = [threading.Thread(target=f) for f in (fire, register, register)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(len(handlers))
