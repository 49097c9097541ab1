# expect: l
"""Ring of four."""

import threading, time


class S:
    def __init__(s, n):
        s.n = n
        s.l = threading.RLock()
        s.peer = None

    def ping(s):
        with s.l:
            s.peer.pong()

    def pong(s):
        with s.l:
            pass


ss = [S(i) for i in range(4)]
for i in range(4):
    ss[i].peer = ss[(i + 1) % 4]
for s in ss:
    t = threading.Thread(target=s.ping)
    t.start()
    time.sleep(0.05)
