# expect: lost-update summary
"""Callbacks of futures run in the pool's threads and add up in one dict."""

from concurrent.futures import ThreadPoolExecutor

summary = {"sum": 0}


def collect(future):
    summary["sum"] = summary["sum"] + future.result()


with ThreadPoolExecutor(2) as pool:
    for n in range(200):
        pool.submit(pow, n, 2).add_done_callback(collect)
print("done")
