# expect: iteration users
"""any(... for ... in dict.values()) while users log out."""

import threading

users = {i: str(i) for i in range(300)}


def leave():
    for i in range(300):
        del users[i]


def ask():
    for _ in range(20):
        try:
            any(name == "x" for name in users.values())
        except RuntimeError:
            pass


threads = [threading.Thread(target=f) for f in (ask, leave)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
