# expect: nothing
"""The result of a task is waited for without a lock."""

import threading

from concurrent.futures import ThreadPoolExecutor

state = threading.Lock()


def task(number):
    with state:
        return number


with ThreadPoolExecutor(2) as pool:
    results = [pool.submit(task, number) for number in range(8)]
    with state:
        total = 0
    for one in results:
        total += one.result()
