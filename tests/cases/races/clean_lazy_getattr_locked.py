# expect: nothing
"""An attribute that is made when it is missing, under a lock."""

import threading


class Client:
    def __getattr__(self, name):
        if name != "connection":
            raise AttributeError(name)
        self.connection = object()
        return self.connection


client = Client()
lock = threading.Lock()


def work():
    for _ in range(100):
        with lock:
            client.connection


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
