# expect: lost-update total
"""A nonlocal variable is read with a walrus and written later."""

import threading


def run():
    total = 0

    def add(n):
        nonlocal total
        if (now := total) >= 0:
            total = now + n

    def work():
        for _ in range(300):
            add(1)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


run()
print("done")
