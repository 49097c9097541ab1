# expect: nothing
"""Tasks return their results; the main thread adds them up."""

from concurrent.futures import ThreadPoolExecutor


class Result:
    def __init__(self, n):
        self.n = n
        self.square = 0


def task(n):
    r = Result(n)
    r.square += n * n
    return r


total = 0
with ThreadPoolExecutor(3) as pool:
    for r in pool.map(task, range(200)):
        r.square += 1
        total += r.square
print(total)
