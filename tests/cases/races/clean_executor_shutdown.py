# expect: nothing
"""The main thread reads what the pool's threads wrote after shutdown(wait=True)."""

import threading
from concurrent.futures import ThreadPoolExecutor

lock = threading.Lock()
state = {"n": 0}


def add():
    with lock:
        state["n"] += 1


pool = ThreadPoolExecutor(3)
for _ in range(200):
    pool.submit(add)
pool.shutdown(wait=True)
state["n"] += 1
print(state["n"])
