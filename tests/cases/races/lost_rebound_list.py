# expect: lost-update Log.lines
"""A list is replaced by a longer one: x = x + [...]."""

import threading


class Log:
    def __init__(self):
        self.lines = []


log = Log()


def work(n):
    for i in range(100):
        log.lines = log.lines + [(n, i)]


threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
