# expect: nothing
"""A ChainMap is made before the threads start, and only read."""

import threading
from collections import ChainMap

config = ChainMap({"user": "x"}, {"user": "y", "host": "z"})


def work():
    for _ in range(100):
        config["host"], config.get("user"), "port" in config


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
