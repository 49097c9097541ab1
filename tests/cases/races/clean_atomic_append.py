# expect: nothing
"""Threads append to one list; it is read after they were joined."""

import threading

out = []


def work(n):
    for i in range(500):
        out.append((n, i))


threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(len(out))
