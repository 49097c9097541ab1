# expect: nothing
"""The lock is taken and given back by calls, in try and finally."""

import threading

total = 0
lock = threading.Lock()


def work():
    global total
    for _ in range(500):
        lock.acquire()
        try:
            total += 1
        finally:
            lock.release()


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(total)
