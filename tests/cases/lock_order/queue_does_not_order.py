# expect: a b
"""The item is put before the locks are taken."""

import threading
import queue
import time

a, b = threading.Lock(), threading.Lock()
ready = queue.Queue()


def forth():
    ready.put("forth")
    with a, b:
        pass


def back():
    ready.get()
    time.sleep(0.1)
    with b, a:
        pass


threads = [threading.Thread(target=one, name=one.__name__) for one in (forth, back)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
