# expect: nothing
"""A condition is waited for with its own lock alone."""

import threading

ready = threading.Condition()
other = threading.Lock()
box = []


def consumer():
    for _ in range(3):
        with ready:
            while not box:
                ready.wait()
            box.pop()
        with other:
            pass


def producer():
    for number in range(3):
        with other:
            pass
        with ready:
            box.append(number)
            ready.notify()


threads = [threading.Thread(target=one) for one in (consumer, producer)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
