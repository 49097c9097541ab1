# expect: check-then-act waiting
"""if x in list: list.remove(x)"""

import threading

waiting = list(range(100))


def work():
    for i in range(100):
        if i in waiting:
            try:
                waiting.remove(i)
            except ValueError:
                pass


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
