# expect: nothing
"""wait() on futures orders their results before what comes after."""

from concurrent.futures import ThreadPoolExecutor, wait

rows = {}


def load(n):
    rows[n] = [n]
    rows[n].append(n + 1)


with ThreadPoolExecutor(4) as pool:
    done, _ = wait([pool.submit(load, n) for n in range(40)])
    total = 0
    for n in rows:
        total += sum(rows[n])
    rows.clear()
    print(total, len(done))
