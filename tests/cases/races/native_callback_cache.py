# expect: check-then-act cache
"""A native pool calls back; the callback fills a cache where a key is missing."""

import racepool

cache = {}


def on_result(thread, number):
    if number not in cache:
        cache[number] = thread


racepool.run(3, 200, on_result, False)
print("done")
