# expect: check-then-act ids
"""A new id is the length of the dict when the name is not in it yet."""

import threading

ids = {}


def number(name):
    try:
        return ids[name]
    except KeyError:
        ids[name] = len(ids)
        return ids[name]


def work():
    for i in range(200):
        number(f"n{i}")


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
