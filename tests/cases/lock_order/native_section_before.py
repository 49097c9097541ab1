# expect: nothing
"""The mutex is asked for after the section."""

import threading
import orderpool

shared = []


def inside():
    orderpool.mutex_after_section(shared)


def around():
    orderpool.section_in_mutex(shared)


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


run(inside, around)
