# expect: nothing
"""A bounded semaphore guards a list of connections, which threads take and give back."""

import threading


class Connection:
    def __init__(self):
        self.uses = 0


idle = [Connection() for _ in range(3)]
allowed = threading.BoundedSemaphore(3)


def work():
    for _ in range(200):
        with allowed:
            connection = idle.pop()
            connection.uses += 1
            idle.append(connection)


threads = [threading.Thread(target=work) for _ in range(5)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sum(c.uses for c in idle))
