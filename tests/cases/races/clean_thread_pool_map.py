# expect: nothing
"""ThreadPool.map, imap and apply_async give results back."""

from multiprocessing.pool import ThreadPool


def make(n):
    return {"n": n}


with ThreadPool(3) as pool:
    rows = pool.map(make, range(30))
    for row in rows:
        row["n"] += 1
    for row in pool.imap_unordered(make, range(30)):
        row["n"] += 1
    one = pool.apply_async(make, (7,)).get()
    one["n"] += 1
    print(len(rows))
