# expect: check-then-act Service.client
"""An attribute is made when there is none yet."""

import threading


class Service:
    def get(self):
        if not hasattr(self, "client"):
            self.client = [0]
        return self.client


services = [Service() for _ in range(100)]


def work():
    for service in services:
        service.get()


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
