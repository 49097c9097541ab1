# expect: lost-update config
"""A dict is copied, changed and put in place of the old one, by two threads."""

import threading

config = {}


def work():
    global config
    for i in range(100):
        new = dict(config)
        new[threading.get_ident(), i] = i
        config = new


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
