# expect: lost-update seen
"""A global set is replaced by its union with more."""

import threading

seen = frozenset()


def work(base):
    global seen
    for i in range(100):
        seen = seen | {base + i}


threads = [threading.Thread(target=work, args=(n,)) for n in (0, 1000)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
