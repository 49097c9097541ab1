# expect: iteration sessions
"""enumerate over a list from which another thread removes."""

import threading

sessions = list(range(200))


def expire():
    for i in range(100):
        sessions.remove(i)


def report():
    total = 0
    for place, session in enumerate(sessions):
        total += place + int(session)
    return total


threads = [threading.Thread(target=f) for f in (report, expire)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
