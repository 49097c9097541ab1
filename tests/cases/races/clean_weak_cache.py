# expect: nothing
"""A cache of weak references under a lock; what nobody holds goes away meanwhile."""

import threading
import weakref


class Image:
    def __init__(self, name):
        self.name = name
        self.users = 0


class Cache:
    def __init__(self):
        self.lock = threading.Lock()
        self.images = weakref.WeakValueDictionary()

    def get(self, name):
        with self.lock:
            image = self.images.get(name)
            if image is None:
                image = self.images[name] = Image(name)
            image.users += 1
            return image


cache = Cache()


def work():
    kept = []
    for i in range(300):
        kept.append(cache.get(i % 7))
        if len(kept) > 3:
            kept.clear()


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(len(cache.images))
