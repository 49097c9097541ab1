# expect: check-then-act seen
"""A set of what was seen decides what is processed."""

import threading

seen = set()
processed = []


def work():
    for i in range(500):
        if i not in seen:
            seen.add(i)
            processed.append(i)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
