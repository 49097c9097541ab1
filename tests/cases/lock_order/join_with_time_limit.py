# expect: nothing
"""A thread is joined with a lock held, with a time limit."""

import threading
import time

state = threading.Lock()


def work():
    with state:
        pass


thread = threading.Thread(target=work)
thread.start()
time.sleep(0.1)
with state:
    thread.join(timeout=1)
thread.join()
