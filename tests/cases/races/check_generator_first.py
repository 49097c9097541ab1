# expect: check-then-act Stream.opened
"""A generator opens the stream when it is not open."""

import threading


class Stream:
    def __init__(self):
        self.opened = False

    def lines(self):
        if not self.opened:
            self.opened = True
        yield "x"


streams = [Stream() for _ in range(60)]


def work():
    for stream in streams:
        for _ in stream.lines():
            pass


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
