# expect: nothing
"""The lock is given back before the thread is joined."""

import threading
import time

state = threading.Lock()


def work():
    with state:
        pass


thread = threading.Thread(target=work)
thread.start()
with state:
    time.sleep(0.01)
thread.join()
