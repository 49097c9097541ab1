# expect: iteration
"""A list whose methods are its own loses items while another thread goes over it."""

import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


class L(list):
    def append(self, x):
        super().append(x)

    def remove(self, x):
        super().remove(x)


l = L(range(40))


def rem():
    for i in range(30):
        l.remove(i)


def loop():
    for _ in range(30):
        for x in l:
            print(x, end="")


run(rem, loop)
