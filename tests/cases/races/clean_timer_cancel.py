# expect: nothing
"""A timer writes under the lock; the main thread joins it before it reads."""

import threading

lock = threading.Lock()
fired = {"n": 0}


def fire():
    with lock:
        fired["n"] += 1


timers = [threading.Timer(0.001 * n, fire) for n in range(20)]
for timer in timers:
    timer.start()
for timer in timers:
    timer.join()
fired["n"] += 1
print(fired["n"])
