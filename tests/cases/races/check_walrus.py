# expect: check-then-act Window.open
"""A walrus reads the number before it is checked."""

import threading


class Window:
    def __init__(self):
        self.open = 0


window = Window()


def work():
    for _ in range(100):
        if (n := window.open) < 50:
            window.open = n + 1


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
