# expect: lost-update Tracker.depth
"""Up in the beginning, down in finally."""

import threading


class Tracker:
    def __init__(self):
        self.depth = 0

    def run(self, function):
        self.depth += 1
        try:
            return function()
        finally:
            self.depth -= 1


tracker = Tracker()


def work():
    for _ in range(100):
        tracker.run(lambda: None)


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
