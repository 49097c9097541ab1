# expect: nothing
"""The second thread begins with an item that the first one puts when it is done."""

import threading
import queue

a, b = threading.Lock(), threading.Lock()
done = queue.Queue()


def forth():
    with a, b:
        pass
    done.put("forth")


def back():
    done.get()
    with b, a:
        pass


threads = [threading.Thread(target=one) for one in (forth, back)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
