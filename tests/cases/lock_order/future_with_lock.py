# expect: state
"""The result of a task is waited for with a lock held that the task takes."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

state = threading.Lock()


def task():
    with state:
        return 1


with ThreadPoolExecutor(2) as pool:
    future = pool.submit(task)
    time.sleep(0.2)
    with state:
        future.result()
