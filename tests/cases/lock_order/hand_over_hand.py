# expect: nothing
"""Hand over hand."""

import threading


class Node:
    def __init__(self, nxt=None):
        self.lock = threading.Lock()
        self.next = nxt


lst = None
for _ in range(20):
    lst = Node(lst)


def walk():
    cur = lst
    cur.lock.acquire()
    while cur.next:
        cur.next.lock.acquire()
        n = cur.next
        cur.lock.release()
        cur = n
    cur.lock.release()


ts = [threading.Thread(target=walk) for _ in range(4)]
[t.start() for t in ts]
[t.join() for t in ts]
