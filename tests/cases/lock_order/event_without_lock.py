# expect: nothing
"""An event is waited for without the lock."""

import threading

state = threading.Lock()
ready = threading.Event()


def prepare():
    with state:
        pass
    ready.set()
    with state:
        pass


thread = threading.Thread(target=prepare)
thread.start()
ready.wait()
with state:
    pass
thread.join()
