# expect: nothing
"""Generators of a pipeline in each thread, over a queue."""

import queue
import threading

source = queue.Queue()
done = queue.Queue()


def rows():
    while (row := source.get()) is not None:
        yield row


def doubled(items):
    for row in items:
        row["n"] *= 2
        yield row


def work():
    for row in doubled(rows()):
        done.put(row)
    done.put(None)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for i in range(40):
    source.put({"n": i})
for _ in threads:
    source.put(None)
left, total = 2, 0
while left:
    row = done.get()
    if row is None:
        left -= 1
    else:
        row["n"] += 1
        total += row["n"]
for t in threads:
    t.join()
print(total)
