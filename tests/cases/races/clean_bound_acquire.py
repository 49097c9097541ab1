# expect: nothing
"""acquire and release are kept as bound methods."""

import threading

stats = {"n": 0}
lock = threading.Lock()
take, give = lock.acquire, lock.release


def work():
    for _ in range(500):
        take()
        stats["n"] += 1
        give()


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(stats["n"])
