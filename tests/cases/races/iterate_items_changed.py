# expect: iteration table
"""items() is iterated over while another thread deletes keys."""

import threading

table = {k: k for k in range(3000)}


def reader():
    for _ in range(20):
        try:
            for k, v in table.items():
                hash((k, v))
        except RuntimeError:
            pass


def writer():
    for k in range(3000):
        table.pop(k, None)


threads = [threading.Thread(target=f) for f in (reader, writer)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
