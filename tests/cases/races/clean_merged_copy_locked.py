# expect: nothing
"""A copy by ** is counted up, and its item stored back, under a lock."""

import threading

state = {"n": 0}
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            copy = {**state}
            state["n"] = copy["n"] + 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
