# expect: nothing
"""A latch of the program's own: the main thread goes on when all have counted down."""

import threading


class Latch:
    def __init__(self, count):
        self.count = count
        self.changed = threading.Condition()

    def count_down(self):
        with self.changed:
            self.count -= 1
            if self.count == 0:
                self.changed.notify_all()

    def wait(self):
        with self.changed:
            self.changed.wait_for(lambda: self.count == 0)


results = {}
latch = Latch(4)


def work(n):
    results[n] = {"sum": 0}
    for i in range(100):
        results[n]["sum"] += i
    latch.count_down()


for n in range(4):
    threading.Thread(target=work, args=(n,), daemon=True).start()
latch.wait()
for n in list(results):
    results[n]["sum"] += 1
print(sum(r["sum"] for r in results.values()))
