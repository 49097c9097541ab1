# expect: check-then-act Service.connection
"""A connection is made lazily, without a lock."""

import threading


class Service:
    def __init__(self):
        self.connection = None

    def get(self):
        if self.connection is None:
            self.connection = object()
        return self.connection


service = Service()


def work():
    for _ in range(100):
        service.get()


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
