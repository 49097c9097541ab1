# expect: lost-update counts
"""Items are stored by dict.__setitem__."""

import threading

counts = {"k": 0}


def work():
    for _ in range(100):
        dict.__setitem__(counts, "k", counts["k"] + 1)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
