# expect: nothing
"""Queue join without lock."""

import threading, queue, time

state = threading.Lock()
q = queue.Queue()


def worker():
    while True:
        x = q.get()
        if x is None:
            break
        with state:
            pass
        q.task_done()


t = threading.Thread(target=worker)
t.start()
for i in range(3):
    with state:
        q.put(i)
q.join()
q.put(None)
t.join()
