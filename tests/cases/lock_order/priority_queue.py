# expect: state
"""Priority queue."""

import threading, queue, time

state = threading.Lock()
q = queue.PriorityQueue(1)


def worker():
    while True:
        with state:
            pass
        if q.get() == 9:
            break


t = threading.Thread(target=worker)
t.start()
for i in range(4):
    time.sleep(0.1)
    with state:
        q.put(i)
q.put(9)
t.join()
