# expect: nothing
"""_thread.start_new_thread with a lock as the end signal."""

import _thread


class Box:
    n = 0


box = Box()
box.n = 0
ended = _thread.allocate_lock()
ended.acquire()


def work():
    for _ in range(100):
        box.n += 1
    ended.release()


_thread.start_new_thread(work, ())
ended.acquire()
box.n += 1
print(box.n)
