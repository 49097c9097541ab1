# expect: nothing
"""Each thread fills its own half of a bytearray through a memoryview of it."""

import threading

buffer = bytearray(200)


def fill(part):
    for i in range(len(part)):
        part[i] = (part[i] + i) % 256


view = memoryview(buffer)
threads = [threading.Thread(target=fill, args=(view[n : n + 100],)) for n in (0, 100)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sum(buffer))
