# expect: nothing
"""A callback of a future gives its result to the next future."""

from concurrent.futures import Future, ThreadPoolExecutor

pool = ThreadPoolExecutor(2)
last = Future()


def first():
    return {"n": 1}


def done(future):
    row = future.result()
    row["n"] += 1
    last.set_result(row)


pool.submit(first).add_done_callback(done)
row = last.result()
row["n"] += 1
pool.shutdown()
print(row["n"])
