# expect: state
"""Get with lock."""

import threading, queue, time

state = threading.Lock()
q = queue.Queue()


def producer():
    for i in range(3):
        with state:
            v = i
        q.put(v)


t = threading.Thread(target=producer)
t.start()
time.sleep(0.3)
for i in range(3):
    with state:
        q.get()
t.join()
