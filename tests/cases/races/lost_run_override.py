# expect: lost-update totals
"""Thread subclasses that override run() share a dict."""

import threading

totals = {"sum": 0}


class Worker(threading.Thread):
    def run(self):
        for i in range(500):
            totals["sum"] = totals["sum"] + i


workers = [Worker() for _ in range(2)]
for w in workers:
    w.start()
for w in workers:
    w.join()
print("done")
