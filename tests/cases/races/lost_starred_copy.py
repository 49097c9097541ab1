# expect: lost-update values
"""An item of a copy is counted up and stored back."""

import threading

values = [1, 2]


def work():
    for _ in range(100):
        copy = [*values]
        values[0] = copy[0] + 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
