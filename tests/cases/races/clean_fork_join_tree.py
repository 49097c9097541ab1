# expect: nothing
"""Threads that start threads and join them, sums on the way back."""

import threading


def total(numbers, out):
    if len(numbers) < 20:
        out["sum"] = sum(numbers)
        return
    left, right = {}, {}
    mid = len(numbers) // 2
    t = threading.Thread(target=total, args=(numbers[:mid], left))
    t.start()
    total(numbers[mid:], right)
    t.join()
    out["sum"] = left["sum"] + right["sum"]


result = {}
total(list(range(200)), result)
print(result["sum"])
