# expect: nothing
"""A Thread subclass keeps its result, read after join."""

import threading


class Summer(threading.Thread):
    def __init__(self, numbers):
        super().__init__()
        self.numbers = numbers
        self.result = 0

    def run(self):
        for n in self.numbers:
            self.result += n


summers = [Summer(range(i, i + 50)) for i in range(3)]
for s in summers:
    s.start()
total = 0
for s in summers:
    s.join()
    total += s.result
    s.result = 0
print(total)
