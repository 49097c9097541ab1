# expect: nothing
"""A handler makes the lock anew in the child."""

import os
import threading
import time

lock = threading.Lock()
os.register_at_fork(after_in_child=lock._at_fork_reinit)


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
