# expect: nothing
"""Two semaphores make two threads take turns over one dict."""

import threading

state = {"turn": 0}
ping, pong = threading.Semaphore(1), threading.Semaphore(0)


def work(mine, other):
    for _ in range(100):
        mine.acquire()
        state["turn"] += 1
        other.release()


threads = [
    threading.Thread(target=work, args=(ping, pong)),
    threading.Thread(target=work, args=(pong, ping)),
]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(state["turn"])
