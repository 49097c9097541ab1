# expect: nothing
"""Threads store into slices of a bytearray under a lock; a reader copies under it, too."""

import threading

data = bytearray(100)
lock = threading.Lock()


def fill():
    for i in range(100):
        with lock:
            data[i : i + 2] = bytes([i % 256, 1])


def read():
    for _ in range(100):
        with lock:
            sum(data[:10])


threads = [threading.Thread(target=f) for f in (fill, read)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
