# expect: lost-update grid
"""Two threads add to the same field of a list of lists."""

import threading

grid = [[0, 0], [0, 0]]


def work():
    for i in range(200):
        grid[i % 2][1] += i


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
