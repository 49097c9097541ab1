# expect: state
"""Something is put into a bounded queue with the lock that its consumer takes."""

import threading
import queue
import time

state = threading.Lock()
jobs = queue.Queue(maxsize=2)


def consumer():
    while jobs.get() is not None:
        with state:
            pass


thread = threading.Thread(target=consumer, name="consumer")
thread.start()
for number in range(5):
    with state:
        jobs.put(number)
    time.sleep(0.05)
jobs.put(None)
thread.join()
