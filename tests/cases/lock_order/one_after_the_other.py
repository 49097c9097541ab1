# expect: nothing
"""The second thread starts when the first one has ended."""

import threading

a, b = threading.Lock(), threading.Lock()


def forth():
    with a, b:
        pass


def back():
    with b, a:
        pass


for target in (forth, back):
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
