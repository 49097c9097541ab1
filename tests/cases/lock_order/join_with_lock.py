# expect: state
"""A thread is joined with a lock held that it takes."""

import threading
import time

state = threading.Lock()


def work():
    time.sleep(0.01)
    with state:
        pass


thread = threading.Thread(target=work, name="worker")
thread.start()
time.sleep(0.2)
with state:
    thread.join()
