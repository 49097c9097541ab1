# expect: App.own
"""Logging handler."""

import logging, threading, time


class App(logging.Handler):
    def __init__(self):
        super().__init__()
        self.own = threading.Lock()

    def emit(self, record):
        with self.own:
            pass

    def work(self):
        with self.own:
            log.info("x")


log = logging.getLogger("x")
log.setLevel(10)
app = App()
log.addHandler(logging.NullHandler())
h = logging.StreamHandler(open("/dev/null", "w"))


class H(logging.StreamHandler):
    def emit(self, record):
        with app.own:
            pass


log.addHandler(H())


def one():
    log.warning("hello")


def two():
    with app.own:
        h.acquire()
        h.release()
        other.acquire()
        other.release()


other = log.handlers[1]
a = threading.Thread(target=one)
b = threading.Thread(target=two)
a.start()
time.sleep(0.2)
b.start()
a.join()
b.join()
