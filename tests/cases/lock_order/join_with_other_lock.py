# expect: nothing
"""A thread is joined with a lock held that it never takes."""

import threading

state, other = threading.Lock(), threading.Lock()


def work():
    with other:
        pass


thread = threading.Thread(target=work)
thread.start()
with state:
    thread.join()
