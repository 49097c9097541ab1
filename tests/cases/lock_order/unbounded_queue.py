# expect: nothing
"""The same with a queue without a bound."""

import threading
import queue

state = threading.Lock()
jobs = queue.Queue()


def consumer():
    while jobs.get() is not None:
        with state:
            pass


thread = threading.Thread(target=consumer)
thread.start()
for number in range(5):
    with state:
        jobs.put(number)
jobs.put(None)
thread.join()
