# expect: lost-update Client.connection
"""self.connection = self.connection or connect()"""

import threading


class Client:
    def __init__(self):
        self.connection = None

    def get(self):
        self.connection = self.connection or object()
        return self.connection


clients = [Client() for _ in range(100)]


def work():
    for client in clients:
        client.get()


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
