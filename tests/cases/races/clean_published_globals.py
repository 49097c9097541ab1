# expect: nothing
"""The same with two global variables."""

import time
import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


config = None
ready = False


def load():
    global config, ready
    config = {"n": 3}
    ready = True


def use():
    for _ in range(100):
        if ready:
            print(config["n"])
            return
        time.sleep(0.001)


run(use, load, use)
