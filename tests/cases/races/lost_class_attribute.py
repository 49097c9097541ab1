# expect: lost-update instances
"""Objects count themselves in an attribute of their class."""

import threading


class Node:
    instances = 0

    def __init__(self):
        Node.instances += 1


def work():
    for _ in range(500):
        Node()


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
