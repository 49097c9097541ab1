# expect: lost-update counts
"""A histogram in a dict: read, add, write back."""

import threading

counts = {}


def work(words):
    for w in words:
        counts[w] = counts.get(w, 0) + 1


words = ["a", "b", "c"] * 500
threads = [threading.Thread(target=work, args=(words,)) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
