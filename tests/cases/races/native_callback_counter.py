# expect: lost-update Results.count
"""A native pool calls back; the callback adds to an attribute."""

import racepool


class Results:
    def __init__(self):
        self.count = 0


results = Results()


def on_result(thread, number):
    results.count += 1


racepool.run(3, 300, on_result, False)
print("done")
