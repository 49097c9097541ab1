# expect: iteration sessions
"""A dict is iterated over while another thread adds to it."""

import threading

sessions = dict.fromkeys(range(200))


def reader():
    for _ in range(50):
        try:
            for k in sessions:
                hash(k)
        except RuntimeError:
            pass


def writer():
    for i in range(2000):
        sessions[1000 + i] = None


threads = [threading.Thread(target=f) for f in (reader, writer)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
