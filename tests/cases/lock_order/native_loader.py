# expect: loader the GIL
"""A callback of dl_iterate_phdr() asks for the GIL, with the lock of the dynamic loader."""

import threading
import orderpool


def visits():
    orderpool.walk_into_python()


def asks():
    orderpool.walk_with_gil()


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


run(visits, asks)
