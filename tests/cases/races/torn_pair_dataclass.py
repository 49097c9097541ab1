# expect: torn-pair Release
"""Name and version of a dataclass with slots are changed one by one and formatted together."""

import threading
from dataclasses import dataclass


@dataclass(slots=True)
class Release:
    name: str = "a"
    version: int = 0


current = Release()


def publish():
    for i in range(500):
        current.name = f"release {i}"
        current.version = i


def show():
    for _ in range(500):
        f"{current.name} {current.version}"


threads = [threading.Thread(target=f) for f in (publish, show)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
