# expect: lost-update Bank.total
"""The lock is given back between the read and the write, in helpers."""

import threading


class Bank:
    def __init__(self):
        self.total = 0
        self.lock = threading.Lock()

    def get(self):
        with self.lock:
            return self.total

    def set(self, value):
        with self.lock:
            self.total = value


bank = Bank()


def work():
    for _ in range(300):
        bank.set(bank.get() + 1)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
