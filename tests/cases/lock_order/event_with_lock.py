# expect: state
"""An event is waited for with a lock held that is taken before it is set."""

import threading
import time

state = threading.Lock()
ready = threading.Event()


def prepare():
    with state:
        pass
    ready.set()


thread = threading.Thread(target=prepare, name="prepare")
thread.start()
time.sleep(0.2)
with state:
    ready.wait()
thread.join()
