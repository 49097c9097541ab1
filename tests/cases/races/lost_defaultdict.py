# expect: lost-update counts
"""Words are counted in a defaultdict by the workers of a pool."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

together = Barrier(3)
counts = defaultdict(int)
TEXT = "the cat saw the dog and the dog saw the cat".split()


def count(words):
    together.wait()
    for word in words * 20:
        counts[word] += 1


with ThreadPoolExecutor(3) as pool:
    list(pool.map(count, [TEXT] * 3))
print("done")
