# expect: nothing
"""Results are merged by the main thread alone, as futures end."""

from concurrent.futures import ThreadPoolExecutor, as_completed


def count(words):
    found = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return found


total = {}
with ThreadPoolExecutor(3) as pool:
    futures = [pool.submit(count, ["a", "b"] * 50) for _ in range(20)]
    for future in as_completed(futures):
        for word, n in future.result().items():
            total[word] = total.get(word, 0) + n
print(sum(total.values()))
