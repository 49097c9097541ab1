# expect: nothing
"""add_done_callback: the callback takes a lock before it counts."""

import threading
from concurrent.futures import ThreadPoolExecutor

done = {"n": 0}
lock = threading.Lock()


def count(future):
    with lock:
        done["n"] += future.result()


with ThreadPoolExecutor(3) as pool:
    for i in range(100):
        pool.submit(int, 1).add_done_callback(count)
print(done["n"])
