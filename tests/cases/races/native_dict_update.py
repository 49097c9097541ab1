# expect: lost-update counts
"""A C function adds to a dict's item by two calls of the C API."""

import threading

import racepool

counts = {"n": 0}


def work():
    for _ in range(500):
        racepool.bump(counts, "n")


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
