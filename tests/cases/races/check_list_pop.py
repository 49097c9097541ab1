# expect: check-then-act work
"""A work list is popped where it is not empty."""

import threading

work = list(range(2000))
taken = [[], []]


def consume(mine):
    while True:
        if work:
            try:
                mine.append(work.pop())
            except IndexError:
                return
        else:
            return


threads = [threading.Thread(target=consume, args=(m,)) for m in taken]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
