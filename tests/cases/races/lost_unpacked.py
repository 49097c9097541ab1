# expect: lost-update pair
"""A list is unpacked, and one of its items is stored."""

import threading

pair = [1, 2]


def work():
    for _ in range(100):
        one, two = pair
        pair[0] = one + two


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
