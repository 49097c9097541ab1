# expect: nothing
"""Native threads write slots of their own; the main thread adds up after they were joined."""

import racepool

sums = [0] * 4


def on_result(thread, number):
    sums[thread] += number


racepool.run(4, 200, on_result, False)
sums[0] += sums[1] + sums[2] + sums[3]
print(sums[0])
