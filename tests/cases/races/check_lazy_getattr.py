# expect: check-then-act Client.connection
"""An attribute that is made when it is missing."""

import threading


class Client:
    def __getattr__(self, name):
        if name != "connection":
            raise AttributeError(name)
        self.connection = object()
        return self.connection


client = Client()


def work():
    for _ in range(100):
        client.connection


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
