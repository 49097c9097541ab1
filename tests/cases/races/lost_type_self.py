# expect: lost-update Node.made
"""Objects count themselves in their class by type(self)."""

import threading


class Node:
    made = 0

    def __init__(self):
        type(self).made += 1


def work():
    for _ in range(100):
        Node()


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
