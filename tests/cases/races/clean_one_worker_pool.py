# expect: nothing
"""A pool of one worker is the only one that touches the state."""

from concurrent.futures import ThreadPoolExecutor

state = {"n": 0}


def add():
    state["n"] += 1
    return state["n"]


with ThreadPoolExecutor(max_workers=1) as pool:
    futures = [pool.submit(add) for _ in range(50)]
    print(futures[-1].result())
