# expect: iteration lines
""" ",".join(map(str, s)) while another thread adds to the set."""

import threading

lines = set()


def grow():
    for i in range(300):
        lines.add(i)


def show():
    for _ in range(50):
        try:
            ",".join(map(str, lines))
        except RuntimeError:
            pass


threads = [threading.Thread(target=f) for f in (show, grow)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
