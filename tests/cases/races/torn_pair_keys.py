# expect: torn-pair config
"""Two keys of a dict are written together and read together."""

import threading

config = {"host": "a", "port": 1}


def reload():
    for i in range(500):
        config["host"] = f"h{i}"
        config["port"] = i


def connect():
    for _ in range(500):
        host = config["host"]
        port = config["port"]
        hash((host, port))


threads = [threading.Thread(target=f) for f in (reload, connect)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
