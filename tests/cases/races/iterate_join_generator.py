# expect: iteration names
"""A generator expression goes over a set that another thread adds to."""

import threading

names = {f"n{i}" for i in range(500)}


def show():
    for _ in range(20):
        try:
            ",".join(name.upper() for name in names)
        except RuntimeError:
            pass


def add():
    for i in range(500, 1500):
        names.add(f"n{i}")


threads = [threading.Thread(target=f) for f in (show, add)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
