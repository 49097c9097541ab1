# expect: locks
"""Exit stack."""

import threading, time
from contextlib import ExitStack

locks = {n: threading.Lock() for n in "pq"}


def both(names):
    with ExitStack() as s:
        for n in names:
            s.enter_context(locks[n])


a = threading.Thread(target=both, args=("pq",))
b = threading.Thread(target=both, args=("qp",))
a.start()
time.sleep(0.2)
b.start()
a.join()
b.join()
