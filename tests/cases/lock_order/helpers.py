# expect: Cache.lock Log.lock
"""The second lock is taken in a helper of another class."""

import threading


class Log:
    def __init__(self):
        self.lock = threading.Lock()
        self.cache = None

    def write(self, text):
        with self.lock:
            return text

    def flush(self):
        with self.lock:
            self.cache.get("size")


class Cache:
    def __init__(self, log):
        self.lock = threading.Lock()
        self.log = log
        log.cache = self

    def get(self, key):
        with self.lock:
            return key

    def put(self, key):
        with self.lock:
            self.log.write(key)


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


log = Log()
cache = Cache(log)


def putter():
    cache.put("k")


run(putter, log.flush)
