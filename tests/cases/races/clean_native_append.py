# expect: nothing
"""A native pool calls back; the callback appends, which is one atomic operation."""

import racepool

results = []


def on_result(thread, number):
    results.append((thread, number))


racepool.run(3, 200, on_result, False)
print(len(results))
