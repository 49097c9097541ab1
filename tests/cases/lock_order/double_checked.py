# expect: nothing
"""Double checked."""

import threading

lock = threading.Lock()
inst = None
reg = threading.Lock()


def get():
    global inst
    if inst is None:
        with lock:
            if inst is None:
                with reg:
                    inst = object()
    return inst


def use():
    for _ in range(50):
        get()
        with reg:
            pass


ts = [threading.Thread(target=use) for _ in range(4)]
[t.start() for t in ts]
[t.join() for t in ts]
