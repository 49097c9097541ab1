# expect: nothing
"""A native pool calls back; the callback takes a lock of Python."""

import threading

import racepool

counts = {"n": 0}
lock = threading.Lock()


def on_result(thread, number):
    with lock:
        counts["n"] += 1


racepool.run(3, 200, on_result, False)
print(counts["n"])
