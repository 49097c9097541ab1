# expect: check-then-act _instance
"""A module's singleton is made at first use."""

import threading

_instance = None


def instance():
    global _instance
    if _instance is None:
        _instance = object()
    return _instance


threads = [threading.Thread(target=instance) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
