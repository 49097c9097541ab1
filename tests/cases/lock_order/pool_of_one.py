# expect: nothing
"""Pool of one."""

import threading, time
from concurrent.futures import ThreadPoolExecutor

a, b = threading.Lock(), threading.Lock()


def forth():
    with a, b:
        pass


def back():
    with b, a:
        pass


with ThreadPoolExecutor(1) as pool:
    f = pool.submit(forth)
    time.sleep(0.2)
    g = pool.submit(back)
    f.result()
    g.result()
