# expect: lost-update view
"""Two threads count in one memoryview."""

import threading

view = memoryview(bytearray(8)).cast("Q")


def work():
    for _ in range(400):
        view[0] = view[0] + 1


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
