# expect: lock
"""Dataclass locks."""

import threading, time
from dataclasses import dataclass, field


@dataclass
class Acc:
    name: str
    lock: threading.Lock = field(default_factory=threading.Lock)


x, y = Acc("x"), Acc("y")


def mv(p, q):
    with p.lock:
        with q.lock:
            pass


a = threading.Thread(target=mv, args=(x, y))
b = threading.Thread(target=mv, args=(y, x))
a.start()
time.sleep(0.2)
b.start()
a.join()
b.join()
