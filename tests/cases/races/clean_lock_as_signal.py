# expect: nothing
"""Two locks as tokens: each is released by the other thread."""

import threading

mine, yours = threading.Lock(), threading.Lock()
yours.acquire()


class Ball:
    def __init__(self):
        self.hits = 0
        self.last = ""


ball = Ball()


def play(name, take, give):
    for _ in range(200):
        take.acquire()
        ball.hits += 1
        ball.last = name
        give.release()


threads = [
    threading.Thread(target=play, args=("left", mine, yours)),
    threading.Thread(target=play, args=("right", yours, mine)),
]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(ball.hits)
