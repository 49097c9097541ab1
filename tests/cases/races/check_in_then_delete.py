# expect: check-then-act sessions
"""`in`, then del: the other thread's del comes in between."""

import threading

sessions = {n: object() for n in range(300)}


def expire():
    for n in range(300):
        if n in sessions:
            try:
                del sessions[n]
            except KeyError:
                pass


threads = [threading.Thread(target=f) for f in (expire, expire)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
