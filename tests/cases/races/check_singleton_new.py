# expect: check-then-act Settings._instance
"""A singleton by __new__ without a lock."""

import threading


class Settings:
    _instance = None

    def __new__(cls):
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance


start = threading.Barrier(2)


def work():
    start.wait()
    Settings()


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
