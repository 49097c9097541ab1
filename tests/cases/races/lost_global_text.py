# expect: lost-update log
"""A global string grows by what each thread has to say."""

import threading

log = ""


def say(what):
    global log
    log = f"{log}{what};"


def work():
    for i in range(300):
        say(i)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
