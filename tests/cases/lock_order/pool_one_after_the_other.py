# expect: nothing
"""Pool one after the other."""

import threading, time
from concurrent.futures import ThreadPoolExecutor

a, b = threading.Lock(), threading.Lock()


def forth():
    with a, b:
        pass


def back():
    with b, a:
        pass


with ThreadPoolExecutor(2) as pool:
    pool.submit(forth).result()
    pool.submit(back).result()
