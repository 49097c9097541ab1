# expect: nothing
"""Each worker of a pool keeps a connection of its own in a thread-local."""

import threading
from concurrent.futures import ThreadPoolExecutor

local = threading.local()


class Connection:
    def __init__(self):
        self.queries = 0

    def query(self):
        self.queries += 1
        return self.queries


def connect():
    local.connection = Connection()


def task(_):
    return local.connection.query()


with ThreadPoolExecutor(3, initializer=connect) as pool:
    print(len(list(pool.map(task, range(60)))))
