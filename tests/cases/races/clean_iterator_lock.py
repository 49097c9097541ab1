# expect: nothing
"""One iterator, advanced under a lock."""

import threading

source = iter(range(2000))
lock = threading.Lock()


def work():
    while True:
        with lock:
            item = next(source, None)
        if item is None:
            return


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
