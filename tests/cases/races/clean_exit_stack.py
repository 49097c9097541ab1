# expect: nothing
"""Locks are taken by an ExitStack, in a loop."""

import contextlib
import threading

accounts = [{"lock": threading.Lock(), "sum": 100} for _ in range(3)]


def work():
    for i in range(100):
        one, two = sorted((i % 3, (i + 1) % 3))
        with contextlib.ExitStack() as stack:
            for n in (one, two):
                stack.enter_context(accounts[n]["lock"])
            accounts[one]["sum"] -= 1
            accounts[two]["sum"] += 1


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
