# expect: outer
"""A condition is waited for with another lock held; who notifies takes it first."""

import threading
import time

outer = threading.Lock()
ready = threading.Condition()
box = []


def consumer():
    for _ in range(2):
        with outer:
            with ready:
                while not box:
                    ready.wait()
                box.pop()
        time.sleep(0.3)


def producer():
    for number in range(2):
        if number:
            with outer:  # only the second time: the first one must not strike
                pass
        time.sleep(0.1)
        with ready:
            box.append(number)
            ready.notify()


threads = [threading.Thread(target=one, name=one.__name__) for one in (consumer, producer)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
