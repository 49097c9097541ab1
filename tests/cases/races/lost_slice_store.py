# expect: lost-update results
"""A list gets a new contents from the old one by a slice."""

import threading

results = []


def work():
    for i in range(100):
        results[:] = results[-20:] + [i]


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
