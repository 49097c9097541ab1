# expect: check-then-act table
"""A key is looked for and then deleted."""

import threading

table = dict.fromkeys(range(1000))


def work():
    for k in range(1000):
        if k in table:
            try:
                del table[k]
            except KeyError:
                pass


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
