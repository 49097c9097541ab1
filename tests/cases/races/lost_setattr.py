# expect: lost-update Config.version
"""getattr and setattr by name instead of by syntax."""

import threading


class Config:
    pass


config = Config()
config.version = 0


def work():
    for _ in range(500):
        setattr(config, "version", getattr(config, "version") + 1)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
