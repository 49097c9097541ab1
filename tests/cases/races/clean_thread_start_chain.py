# expect: nothing
"""Each thread starts the next one after its own work."""

import threading

log = {"steps": 0}
last = threading.Event()


def step(n):
    log["steps"] += 1
    if n:
        threading.Thread(target=step, args=(n - 1,)).start()
    else:
        last.set()


threading.Thread(target=step, args=(30,)).start()
last.wait()
log["steps"] += 1
print(log["steps"])
