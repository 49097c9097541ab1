# expect: nothing
"""Each task of a ThreadPool works in a slice of its own of one list."""

from multiprocessing.pool import ThreadPool

rows = [0] * 100


def fill(first):
    for i in range(first, first + 10):
        rows[i] += i


with ThreadPool(4) as pool:
    pool.map(fill, range(0, 100, 10))
print(sum(rows))
