# expect: nothing
"""A queue with one token: who has it may write."""

import queue
import threading

token = queue.Queue(maxsize=1)
token.put("token")
total = 0


def work():
    global total
    for _ in range(150):
        mine = token.get()
        total += 1
        token.put(mine)


threads = [threading.Thread(target=f) for f in (work, work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
