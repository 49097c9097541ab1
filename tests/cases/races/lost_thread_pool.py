# expect: lost-update Total.value
"""multiprocessing.pool.ThreadPool adds up short tasks."""

from multiprocessing.pool import ThreadPool


class Total:
    value = 0


total = Total()


def add(n):
    total.value = total.value + n


with ThreadPool(3) as pool:
    pool.map(add, range(60))
print("done")
