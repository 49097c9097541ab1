# expect: nothing
"""A lock of native code that cannot be seen is declared; it is used by `with` and by its methods."""

import ctypes
import threading

import gilscope

native = ctypes.CDLL(None)


class HiddenLock:
    def __init__(self):
        self._mutex = ctypes.create_string_buffer(64)

    def acquire(self):
        native.pthread_mutex_lock(self._mutex)

    def release(self):
        native.pthread_mutex_unlock(self._mutex)

    def __enter__(self):
        self.acquire()

    def __exit__(self, *_):
        self.release()


class Counter:
    def __init__(self):
        self.total = 0
        self.seen = {}


counter = Counter()
lock = gilscope.synchronises(HiddenLock())


def by_with():
    for i in range(200):
        with lock:
            counter.total += 1
            if i not in counter.seen:
                counter.seen[i] = counter.total


def by_calls():
    for i in range(200):
        lock.acquire()
        counter.total += 1
        if i not in counter.seen:
            counter.seen[i] = counter.total
        lock.release()


threads = [threading.Thread(target=f) for f in (by_with, by_calls, by_with)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(counter.total)
