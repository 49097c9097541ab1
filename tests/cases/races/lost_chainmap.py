# expect: lost-update settings
"""A key of a ChainMap's first map is counted up."""

import threading
from collections import ChainMap

settings = ChainMap({"used": 0}, {"used": 10})


def work():
    for _ in range(200):
        settings["used"] += 1


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
