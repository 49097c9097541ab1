# expect: nothing
"""An item of a copy is counted up and stored back, under a lock."""

import threading

values = [1, 2]
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            copy = [*values]
            values[0] = copy[0] + 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
