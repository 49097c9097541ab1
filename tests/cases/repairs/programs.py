"""Programs with one fault each, and their repair: `programs.py NAME bad|good`.

Both ways do the same work; what they differ in is what the finding advises.
"""

import ctypes
import os
import sys
import threading
import time


def start_all(count, work):
    threads = [threading.Thread(target=work, name=f"worker-{i}") for i in range(count)]
    [one.start() for one in threads]
    [one.join() for one in threads]


def compute(times):
    for _ in range(times):
        sum(range(1000))


def gil_bound(good):  # the repair is the other build
    start_all(2, lambda: compute(30_000))


def gil_reenabled(good):
    if good:
        import fresh  # noqa: F401
    else:
        import old  # noqa: F401
    start_all(2, lambda: compute(30_000))


def native_hold(good):
    usleep = (ctypes.CDLL if good else ctypes.PyDLL)(None).usleep
    start_all(3, lambda: [usleep(20_000) for _ in range(10)])


def hot_lock(good):
    lock = threading.Lock()

    def work():
        for _ in range(40):
            if good:
                time.sleep(0.002)
                with lock:
                    pass
            else:
                with lock:
                    time.sleep(0.002)

    start_all(4, work)


def hot_object(good):
    shared = {}

    def work():
        own = {} if good else shared
        table = {i: i for i in range(30_000)}  # its own: update() locks both
        for _ in range(60):
            own.update(table)

    start_all(4, work)


def starvation(good):
    stop = False

    def task():
        while not stop:
            sum(range(1000))

    if not good:  # in a process of its own
        threading.Thread(target=task, name="task").start()
        time.sleep(0.05)
    for _ in range(80):
        time.sleep(0.0005)
    stop = True


def stop_the_world(good):
    class Draft:
        pass

    class Final:
        pass

    def work():
        for _ in range(2000):
            node = Final() if good else Draft()
            if not good:
                node.__class__ = Final
            for _ in range(50):
                node.value = 1

    start_all(4, work)


def refcount(good):
    shared = threading.Lock()

    def work():
        own = threading.Lock() if good else shared
        for _ in range(16_000_000):
            own.locked()

    start_all(2, work)


def serialised(good):
    import crowd

    call = crowd.call_at_end if good else crowd.call_each
    call(4, 500, lambda result: sum(range(4000)))


def thread_states(good):
    import backward

    backward.backward(lambda: None, good)


def native_mutex(good):
    import tally

    stop = False

    def busy():
        while not stop:
            sum(range(1000))

    threading.Thread(target=busy, name="busy").start()
    tally.run(lambda: None, good)
    stop = True


def cache_line(good):
    from stats import count_all

    count_all(2, 300_000_000, good)


def pools(good):
    os.environ["OMP_NUM_THREADS"] = "1" if good else "4"
    from product import product

    start_all(2, lambda: product(120, 250))


globals()[sys.argv[1]](sys.argv[2] == "good")
