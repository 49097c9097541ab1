# expect: torn-pair Frame
"""A generator reads width and height while both change."""

import threading


class Frame:
    def __init__(self):
        self.width = 1
        self.height = 1


frame = Frame()


def areas():
    for _ in range(200):
        yield frame.width * frame.height


def change():
    for i in range(200):
        frame.width = i
        frame.height = i


def use():
    for _ in areas():
        pass


threads = [threading.Thread(target=f) for f in (change, use)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
