# expect: lock
"""A forked child asks for a lock that another thread takes; none had it at the fork."""

import os
import threading
import time

lock = threading.Lock()


def refresh():
    for _ in range(3):
        with lock:
            time.sleep(0.001)
    time.sleep(0.3)  # still there at the fork, without the lock


thread = threading.Thread(target=refresh, name="refresh")
thread.start()
time.sleep(0.1)
child = os.fork()
if child == 0:
    with lock:
        os._exit(0)
assert os.waitpid(child, 0)[1] == 0
thread.join()
