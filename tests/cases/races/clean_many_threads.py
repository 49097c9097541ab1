# expect: nothing
"""Two hundred threads, one lock."""

import threading

lock = threading.Lock()
state = {"n": 0}


def work():
    for _ in range(10):
        with lock:
            state["n"] += 1


threads = [threading.Thread(target=work) for _ in range(200)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(state["n"])
