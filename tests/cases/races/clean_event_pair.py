# expect: nothing
"""Two threads take turns by two events."""

import threading

ping, pong = threading.Event(), threading.Event()
board = {"turn": 0}


def first():
    for _ in range(100):
        ping.wait()
        ping.clear()
        board["turn"] += 1
        pong.set()


def second():
    for _ in range(100):
        pong.wait()
        pong.clear()
        board["turn"] += 1
        ping.set()


ping.set()
threads = [threading.Thread(target=f) for f in (first, second)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
