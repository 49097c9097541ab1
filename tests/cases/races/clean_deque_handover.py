# expect: nothing
"""A deque is the channel: append on one side, popleft on the other."""

import collections
import threading
import time


class Item:
    def __init__(self):
        self.n = 0


channel = collections.deque()


def produce():
    for i in range(200):
        item = Item()
        item.n += i
        channel.append(item)


def consume():
    got = 0
    while got < 200:
        try:
            item = channel.popleft()
        except IndexError:
            time.sleep(0.001)
            continue
        item.n += 1
        got += 1


threads = [threading.Thread(target=f) for f in (produce, consume)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
