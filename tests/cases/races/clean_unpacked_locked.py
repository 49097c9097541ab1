# expect: nothing
"""A list is unpacked, and one of its items is stored, under a lock."""

import threading

pair = [1, 2]
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            one, two = pair
            pair[0] = one + two


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
