# expect: iteration jobs
"""A comprehension reads a dict's values while another thread pops."""

import threading

jobs = {i: [i] for i in range(1000)}


def report():
    for _ in range(20):
        try:
            sum([len(j) for j in jobs.values()])
        except RuntimeError:
            pass


def finish():
    for i in range(1000):
        jobs.pop(i)


threads = [threading.Thread(target=f) for f in (report, finish)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
