# expect: lost-update Progress.done
"""Tasks of a ThreadPoolExecutor count their progress in a shared object."""

from concurrent.futures import ThreadPoolExecutor


class Progress:
    done = 0


progress = Progress()
progress.done = 0


def task(n):
    x = sum(range(n))
    progress.done += 1
    return x


with ThreadPoolExecutor(3) as pool:
    list(pool.map(task, range(200)))
print("done")
