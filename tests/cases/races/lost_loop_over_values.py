# expect: lost-update totals
"""A loop sums up what is stored in the same dict."""

import threading

totals = {"one": 1, "all": 0}


def work():
    for _ in range(100):
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
