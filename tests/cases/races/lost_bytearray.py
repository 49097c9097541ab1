# expect: lost-update flags
"""Bits of a bytearray are set with |=."""

import threading

flags = bytearray(4)


def low():
    for _ in range(300):
        flags[0] |= 1


def high():
    for _ in range(300):
        flags[0] |= 16


threads = [threading.Thread(target=f) for f in (low, high)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
