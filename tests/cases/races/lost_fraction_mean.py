# expect: lost-update Mean.value
"""A running mean, read and written in one method by threads of a pool's map."""

from concurrent.futures import ThreadPoolExecutor


class Mean:
    def __init__(self):
        self.value = 0.0
        self.n = 0

    def add(self, x):
        self.n += 1
        self.value = self.value + (x - self.value) / self.n


mean = Mean()
with ThreadPoolExecutor(3) as pool:
    list(pool.map(mean.add, range(300)))
print("done")
