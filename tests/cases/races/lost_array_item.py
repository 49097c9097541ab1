# expect: lost-update histogram
"""Items of an array.array are counted up."""

import threading
from array import array

histogram = array("L", [0] * 8)


def work():
    for i in range(400):
        histogram[i % 8] += 1


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
