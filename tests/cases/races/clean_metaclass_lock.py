# expect: nothing
"""A singleton whose metaclass holds a lock."""

import threading


class Singleton(type):
    _instances = {}
    _lock = threading.Lock()

    def __call__(cls, *args):
        with cls._lock:
            if cls not in cls._instances:
                cls._instances[cls] = super().__call__(*args)
            return cls._instances[cls]


class Registry(metaclass=Singleton):
    def __init__(self):
        self.names = set()


def work():
    for _ in range(50):
        Registry()


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
