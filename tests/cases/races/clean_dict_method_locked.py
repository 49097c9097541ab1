# expect: nothing
"""Items are stored by dict.__setitem__, under a lock."""

import threading

counts = {"k": 0}
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            dict.__setitem__(counts, "k", counts["k"] + 1)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
