# expect: lost-update scores
"""A new score is above the best of all."""

import threading

scores = {"top": 0, "first": 1}


def work():
    for _ in range(100):
        scores["top"] = max(scores.values()) + 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
