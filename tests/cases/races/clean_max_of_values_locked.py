# expect: nothing
"""A new score is above the best of all, under a lock."""

import threading

scores = {"top": 0, "first": 1}
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            scores["top"] = max(scores.values()) + 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
