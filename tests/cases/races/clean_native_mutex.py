# expect: nothing
"""The native pool holds a mutex around each callback: it protects the Python state behind it."""

import racepool


class Results:
    def __init__(self):
        self.count = 0
        self.last = None


results = Results()


def on_result(thread, number):
    results.count += 1
    if results.last is None or results.last < number:
        results.last = number


racepool.run(3, 300, on_result, True)
print(results.count)
