# expect: lost-update ['k']
"""An item is stored by |=."""

import threading


class State:
    def __init__(self):
        self.counts = {"k": 0}


state = State()


def work():
    for _ in range(100):
        state.counts |= {"k": state.counts["k"] + 1}


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
