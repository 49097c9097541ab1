# expect: nothing
"""Futures by wait(), as_completed() and a done callback; the pool's threads have locals."""

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, as_completed, wait

local = threading.local()


def prepare():
    local.cache = {}
    local.calls = 0


class Job:
    def __init__(self, n):
        self.n = n
        self.total = 0


def run(job):
    local.calls += 1
    if job.n not in local.cache:
        local.cache[job.n] = local.calls
    for i in range(50):
        job.total += i
    return job


merged = {"total": 0}
with ThreadPoolExecutor(3, initializer=prepare) as pool:
    pending = {pool.submit(run, Job(n)) for n in range(20)}
    while pending:
        ready, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in ready:
            job = future.result()
            job.total += 1
            merged["total"] += job.total
    for future in as_completed([pool.submit(run, Job(n)) for n in range(20)]):
        merged["total"] += future.result().total
print(merged["total"])
