# expect: nothing
"""The lock is given back before the item is put."""

import threading
import queue

state = threading.Lock()
jobs = queue.Queue(maxsize=1)


def consumer():
    while jobs.get() is not None:
        with state:
            pass


thread = threading.Thread(target=consumer)
thread.start()
for number in range(5):
    with state:
        item = number
    jobs.put(item)
jobs.put(None)
thread.join()
