# expect: lost-update state
"""A copy by ** is counted up, and its item stored back."""

import threading

state = {"n": 0}


def work():
    for _ in range(100):
        copy = {**state}
        state["n"] = copy["n"] + 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
