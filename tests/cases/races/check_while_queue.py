# expect: check-then-act jobs
"""while jobs: jobs.popleft() in two workers."""

import threading
from collections import deque

jobs = deque(range(300))


def work():
    while jobs:
        try:
            jobs.popleft()
        except IndexError:
            return


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
