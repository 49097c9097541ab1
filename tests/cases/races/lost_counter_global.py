# expect: lost-update total
"""Threads add to a global of a module."""

import threading

total = 0


def work():
    global total
    for _ in range(2000):
        total += 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
