# expect: nothing
"""Configuration is made before the threads start and only read by them."""

import threading


class Config:
    def __init__(self):
        self.limit = 10
        self.names = {"a": 1, "b": 2}
        self.steps = [1, 2, 3]


config = Config()
config.limit = 20


def work():
    total = 0
    for _ in range(300):
        for s in config.steps:
            if "a" in config.names and s < config.limit:
                total += config.names["a"]


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
