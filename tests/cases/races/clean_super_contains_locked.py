# expect: nothing
"""A dict whose `in` and stores are methods of its own, under a lock."""

import threading


class Registry(dict):
    def __contains__(self, key):
        return super().__contains__(key)

    def __setitem__(self, key, value):
        super().__setitem__(key, value)


registry = Registry()
lock = threading.Lock()


def work():
    for number in range(100):
        with lock:
            if number not in registry:
                registry[number] = [number]


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
