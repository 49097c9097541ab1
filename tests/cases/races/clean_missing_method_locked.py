# expect: nothing
"""A dict that makes what is missing, under a lock."""

import threading


class Groups(dict):
    def __missing__(self, key):
        self[key] = made = []
        return made


groups = Groups()
lock = threading.Lock()


def work():
    for number in range(100):
        with lock:
            groups[number].append(1)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
