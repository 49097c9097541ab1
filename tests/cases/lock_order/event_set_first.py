# expect: nothing
"""An event is waited for with a lock held that is taken after it is set."""

import threading

state = threading.Lock()
ready = threading.Event()


def prepare():
    ready.set()
    with state:
        pass


thread = threading.Thread(target=prepare)
thread.start()
with state:
    ready.wait()
thread.join()
