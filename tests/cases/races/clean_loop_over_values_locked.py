# expect: nothing
"""A loop sums up what is stored in the same dict, under a lock."""

import threading

totals = {"one": 1, "all": 0}
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            found = 0
            for value in totals.values():
                found += value
            totals["all"] = found % 1000


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
