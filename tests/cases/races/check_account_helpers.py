# expect: check-then-act Account.balance
"""Both methods take the lock; what they do together is not protected by it."""

import threading


class Account:
    def __init__(self):
        self.balance = 300
        self.lock = threading.Lock()

    def can_pay(self, amount):
        with self.lock:
            return self.balance >= amount

    def pay(self, amount):
        with self.lock:
            self.balance -= amount


account = Account()


def work():
    while account.can_pay(1):
        account.pay(1)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
