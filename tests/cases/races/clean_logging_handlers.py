# expect: nothing
"""Handlers of logging count under the lock that logging takes."""

import logging, io, logging.handlers, queue
import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


class H(logging.Handler):
    def __init__(self):
        super().__init__()
        self.count = 0
        self.seen = {}

    def emit(self, record):
        self.count += 1
        self.seen[record.levelname] = self.seen.get(record.levelname, 0) + 1


h = H()
log = logging.getLogger("x")
log.addHandler(h)
log.setLevel(10)
log.addHandler(logging.StreamHandler(io.StringIO()))
q = queue.Queue()
log.addHandler(logging.handlers.QueueHandler(q))
listener = logging.handlers.QueueListener(q, H())
listener.start()


def work():
    for i in range(20):
        log.info("hi %d", i)
        logging.getLogger(f"x.{i}").warning("w")


run(work, each=3)
listener.stop()
