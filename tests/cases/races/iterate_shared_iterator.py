# expect: iteration iterator
"""Two threads take items from one iterator."""

import threading

source = iter(range(5000))


def work(out):
    while True:
        item = next(source, None)
        if item is None:
            return
        out.append(item)


outs = [[], []]
threads = [threading.Thread(target=work, args=(o,)) for o in outs]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
