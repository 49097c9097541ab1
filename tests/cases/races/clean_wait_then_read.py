# expect: nothing
"""as_completed and wait with callbacks that fill a dict; read after the pool."""

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

seen = {}


def task(n):
    return n, [n] * 3


with ThreadPoolExecutor(3) as pool:
    waiting = {pool.submit(task, n) for n in range(20)}
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            n, row = future.result()
            row.append(n)
            seen[n] = seen.get(n, 0) + sum(row)
print(sum(seen.values()))
