# expect: nothing
"""A Future of one's own hands the object over and orders what was done before."""

import threading
from concurrent.futures import Future

answer = Future()
work_log = {"lines": 0}


def produce():
    for _ in range(50):
        work_log["lines"] += 1
    answer.set_result({"rows": [1, 2]})


def consume():
    rows = answer.result()["rows"]
    rows.append(3)
    work_log["lines"] += len(rows)


threads = [threading.Thread(target=f) for f in (produce, consume)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
