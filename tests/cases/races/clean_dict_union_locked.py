# expect: nothing
"""An item is stored by |=, under a lock."""

import threading


class State:
    def __init__(self):
        self.counts = {"k": 0}


state = State()
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            state.counts |= {"k": state.counts["k"] + 1}


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
